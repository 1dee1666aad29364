"""The head of a DeepPose against plain NumPy."""

import numpy as np
import pytest

from distilpose_keras.models.presets import MODELS
from tests.models.heads import features, model_of, predict, weights_of


@pytest.mark.parametrize("name", ["deeppose_resnet50", "deeppose_resnet50_distilled"])
def test_coordinates_are_a_linear_map_of_the_mean_feature(name):
    array = features()
    model = model_of(MODELS[name].head, array)
    outputs = predict(model, array)
    kernel, bias = weights_of(model, "keypoint_head-fc")
    values = (array.mean(axis=(1, 2)) @ kernel + bias).reshape(2, 17, -1)
    np.testing.assert_allclose(outputs["keypoints"], values[..., :2], atol=1e-5)
    if MODELS[name].confidence:
        np.testing.assert_allclose(outputs["scores"], values[..., 2:3], atol=1e-5)
        softplus = np.log1p(np.exp(values[..., 3:]))
        np.testing.assert_allclose(outputs["sigmas"], softplus, atol=1e-5)
    else:
        assert set(outputs) == {"keypoints", "scores"}
        np.testing.assert_array_equal(outputs["scores"], np.ones((2, 17, 1)))
