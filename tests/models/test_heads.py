"""Heads against plain NumPy."""

import keras
import numpy as np
import pytest

from distilpose_keras.models.configs import MODELS
from distilpose_keras.models.heads import heatmap_head, regression_head, tokens
from tests.models.small import images, small


def features(height=8, width=6, channels=5):
    rng = np.random.default_rng(0)
    return rng.normal(size=(2, height, width, channels)).astype("float32")


def model_of(head, array, config, **options):
    """A model of a head alone, its weights drawn at random."""
    inputs = keras.Input(array.shape[1:])
    model = keras.Model(inputs, head(inputs, config, **options))
    rng = np.random.default_rng(1)
    for weight in model.trainable_variables:
        weight.assign(rng.normal(0, 0.3, weight.shape))
    return model


def weights_of(model, layer):
    return [np.array(w) for w in model.get_layer(layer).weights]


def predict(model, array):
    outputs = model(array, training=False)
    return keras.tree.map_structure(keras.ops.convert_to_numpy, outputs)


@pytest.mark.backend
def test_visual_tokens_are_linear_maps_of_patches_row_by_row():
    array = features()
    config = MODELS["distilpose_s"].with_overrides(
        input_size=(32, 24), token_dim=16, token_layers=0, patch_size=(4, 2)
    )
    model = model_of(tokens, array, config, name="head")
    keypoint_tokens, visual_tokens = predict(model, array)
    kernel, bias = weights_of(model, "head-patch_to_embedding")
    kernel = kernel.reshape(-1, 16)  # rows, columns, channels
    expected = [
        array[:, row : row + 4, column : column + 2].reshape(2, -1) @ kernel + bias
        for row in (0, 4)
        for column in (0, 2, 4)
    ]
    np.testing.assert_allclose(visual_tokens, np.stack(expected, axis=1), atol=1e-5)
    (learned,) = weights_of(model, "head")
    np.testing.assert_array_equal(keypoint_tokens, np.repeat(learned, 2, axis=0))


@pytest.mark.parametrize("name", ["deeppose_resnet50", "deeppose_resnet50_distilled"])
def test_coordinates_are_a_linear_map_of_the_mean_feature(name):
    array = features()
    model = model_of(regression_head, array, MODELS[name])
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


def test_heatmaps_are_a_linear_map_of_each_pixel():
    array = features()
    model = model_of(heatmap_head, array, MODELS["hrnet_w32"])
    found = predict(model, array)["heatmaps"]
    kernel, bias = weights_of(model, "keypoint_head-final_layer")
    expected = np.einsum("bhwc,ck->bkhw", array, kernel[0, 0]) + bias[:, None, None]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_each_deconvolution_doubles_the_map():
    array = features(2, 3)
    model = model_of(heatmap_head, array, MODELS["simple_baseline_resnet50"])
    assert predict(model, array)["heatmaps"].shape == (2, 17, 16, 24)


def test_one_sigma_is_shared_by_x_and_y():
    inputs = images()
    one, two = small(num_sigmas=1), small(num_sigmas=2)
    assert two.count_params() - one.count_params() == 16 + 1  # one output of the head
    sigmas = keras.ops.convert_to_numpy(one(inputs)["sigmas"])
    assert sigmas.shape == (2, 17, 2)
    np.testing.assert_array_equal(sigmas[..., 0], sigmas[..., 1])
    sigmas = keras.ops.convert_to_numpy(two(inputs)["sigmas"])
    assert np.abs(sigmas[..., 0] - sigmas[..., 1]).min() > 0
