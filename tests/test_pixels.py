"""Image values as the published backbones expect them."""

import keras
import numpy as np
import pytest

from distilpose_keras.pixels import normalize_images, renormalize_images


@pytest.mark.backend
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_normalized_images_have_the_statistics_of_torchvision(dtype):
    # (value / 255 - mean) / std of torchvision's published transforms, by hand
    images = np.array([[[[0, 128, 255]]]], dtype)
    expected = [-2.1179039, 0.20518212, 2.64]
    actual = keras.ops.convert_to_numpy(normalize_images(images))
    assert actual.dtype == np.float32
    np.testing.assert_allclose(actual[0, 0, 0], expected, rtol=1e-5)


@pytest.mark.parametrize("bgr", [(False, True), (True, True), (False, False)])
def test_images_of_one_model_become_those_of_another(bgr):
    rgb = np.random.default_rng(0).integers(0, 256, (2, 3, 4, 3)).astype("uint8")
    own = ((0.4, 0.5, 0.6), (0.2, 0.3, 0.25), bgr[0])
    other = ((0.1, 0.0, 0.3), (1.0, 0.5, 0.25), bgr[1])
    images, expected = (
        normalize_images(rgb, mean, std, bgr=turned)
        for mean, std, turned in (own, other)
    )
    found = keras.ops.convert_to_numpy(renormalize_images(images, own, other))
    np.testing.assert_allclose(found, keras.ops.convert_to_numpy(expected), atol=1e-5)
    assert renormalize_images(images, own, own) is images
