"""The outputs of a DistilPose."""

import keras
import numpy as np

from tests.models.small import images, small


def test_one_sigma_is_shared_by_x_and_y():
    inputs = images()
    one, two = small(num_sigmas=1), small(num_sigmas=2)
    assert two.count_params() - one.count_params() == 16 + 1  # one output of the head
    sigmas = keras.ops.convert_to_numpy(one(inputs)["sigmas"])
    assert sigmas.shape == (2, 17, 2)
    np.testing.assert_array_equal(sigmas[..., 0], sigmas[..., 1])
    sigmas = keras.ops.convert_to_numpy(two(inputs)["sigmas"])
    assert np.abs(sigmas[..., 0] - sigmas[..., 1]).min() > 0
