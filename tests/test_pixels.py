"""Image values as the published backbones expect them."""

import keras
import numpy as np
import pytest

from distilpose_keras.pixels import normalize_images


@pytest.mark.backend
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_normalized_images_have_the_statistics_of_torchvision(dtype):
    # (value / 255 - mean) / std of torchvision's published transforms, by hand
    images = np.array([[[[0, 128, 255]]]], dtype)
    expected = [-2.1179039, 0.20518212, 2.64]
    actual = keras.ops.convert_to_numpy(normalize_images(images))
    assert actual.dtype == np.float32
    np.testing.assert_allclose(actual[0, 0, 0], expected, rtol=1e-5)
