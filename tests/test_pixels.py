"""Image values as the published backbones expect them."""

import keras
import numpy as np
import pytest

from distilpose_keras.pixels import (
    IMAGE_MEAN,
    IMAGE_STD,
    normalize_images,
    renormalize_images,
)


@pytest.mark.backend
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_normalized_images_have_the_statistics_of_torchvision(dtype):
    # (value / 255 - mean) / std of torchvision's published transforms, by hand
    images = np.array([[[[0, 128, 255]]]], dtype)
    expected = [-2.1179039, 0.20518212, 2.64]
    actual = keras.ops.convert_to_numpy(normalize_images(images))
    assert actual.dtype == np.float32
    np.testing.assert_allclose(actual[0, 0, 0], expected, rtol=1e-5)


@pytest.mark.backend
def test_images_of_one_model_become_those_of_another():
    images = np.random.default_rng(0).integers(0, 256, (2, 4, 4, 3), np.uint8)
    ours, theirs = ((0.4, 0.5, 0.6), (1.0, 0.5, 0.1)), (IMAGE_MEAN, IMAGE_STD)
    found = renormalize_images(normalize_images(images, *ours), ours, theirs)
    expected = normalize_images(images, *theirs)
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(found),
        keras.ops.convert_to_numpy(expected),
        atol=1e-5,
    )
    assert renormalize_images(expected, theirs, theirs) is expected
