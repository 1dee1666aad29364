"""The heatmaps of an HRNet."""

import numpy as np

from distilpose_keras.models.layers import heatmap_layer
from tests.models.heads import features, model_of, predict, weights_of


def test_heatmaps_are_a_linear_map_of_each_pixel():
    array = features()
    model = model_of(lambda x: heatmap_layer(x, 17), array)
    found = predict(model, array)
    kernel, bias = weights_of(model, "keypoint_head-final_layer")
    expected = np.einsum("bhwc,ck->bkhw", array, kernel[0, 0]) + bias[:, None, None]
    np.testing.assert_allclose(found, expected, atol=1e-5)
