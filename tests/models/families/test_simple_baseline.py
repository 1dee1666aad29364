"""The deconvolutions of SimpleBaselines."""

import numpy as np

from distilpose_keras.models.layers import deconvolution
from distilpose_keras.models.presets import MODELS
from tests.models.heads import features, model_of, predict, weights_of


def test_a_deconvolution_adds_a_kernel_at_every_second_pixel():
    array = features(2, 3)
    model = model_of(lambda x: deconvolution(x, 4, 0), array)
    (kernel,) = weights_of(model, "keypoint_head-deconv_layers-0")  # 4, 4, out, in
    gamma, beta, mean, variance = weights_of(model, "keypoint_head-deconv_layers-1")
    whole = np.zeros((2, 2 * 2 + 2, 2 * 3 + 2, 4))
    for row in range(2):
        for column in range(3):
            patch = np.einsum("bi,hwoi->bhwo", array[:, row, column], kernel)
            whole[:, 2 * row : 2 * row + 4, 2 * column : 2 * column + 4] += patch
    inner = whole[:, 1:-1, 1:-1]
    normed = (inner - mean) / np.sqrt(variance + 1e-5) * gamma + beta
    found = predict(model, array)
    np.testing.assert_allclose(found, np.maximum(normed, 0), atol=1e-5)


def test_three_of_them_bring_a_resnet_to_a_quarter():
    assert MODELS["simple_baseline_resnet50"].codec.heatmap_size == (64, 48)
