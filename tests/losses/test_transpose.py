"""The loss and targets of TransPose and TokenPose against their published code."""

import keras
import numpy as np
import pytest

from distilpose_keras.losses import transpose

CROP, HEATMAP = (256, 192), (64, 48)
SIZE = np.array([192, 256], "float32")


@pytest.fixture(scope="module")
def reference(parity):
    return parity("families/transpose/losses")


@pytest.fixture(scope="module")
def geometry(parity):
    return parity("families/transpose/geometry")


@pytest.mark.backend
@pytest.mark.parametrize("case", ["all_visible", "some_hidden"])
def test_gradients_equal_the_published_ones(reference, value_and_gradients, case):
    targets, weights = reference["in_target"], reference[f"{case}_weight"]

    def total(tensors):
        return transpose.half_heatmap_loss(tensors["maps"], targets, weights)

    maps = reference["in_pred"]
    value, gradients = value_and_gradients(total, {"maps": maps})
    # The reference holds one pixel of 16, of a mean over all of them.
    expected = 16 * reference[f"{case}_grad_pred"]
    np.testing.assert_allclose(
        gradients["maps"], expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max()
    )
    # A quadratic loss is half its gradient times the way to its minimum.
    assert value == pytest.approx(0.5 * np.sum(expected * (maps - targets)), rel=1e-5)


@pytest.mark.backend
def test_keypoints_of_the_crop_lie_where_published_on_the_heatmap(geometry):
    x, y = transpose.heatmap_positions(geometry["joints_in_crop"] / SIZE, CROP, HEATMAP)
    positions = keras.ops.convert_to_numpy(keras.ops.stack([x, y], axis=-1))
    np.testing.assert_allclose(positions, geometry["joints_in_heatmap"], atol=1e-3)


@pytest.mark.backend
def test_targets_equal_the_published_ones(geometry):
    maps, weights = transpose.subpixel_heatmaps(
        geometry["joints_in_crop"] / SIZE,
        geometry["visible"][..., None],
        CROP,
        HEATMAP,
    )
    weights = keras.ops.convert_to_numpy(weights)
    np.testing.assert_array_equal(weights, geometry["heatmap_weight"])
    drawn = keras.ops.convert_to_numpy(maps)[:1, :, ::2, ::2]
    counts = weights[:1, ..., None] > 0
    np.testing.assert_allclose(
        drawn * counts, geometry["heatmap_target"] * counts, atol=1e-4
    )


@pytest.mark.parametrize("x, weight", [(53.9, 1), (54.0, 0), (-7.9, 1), (-8.0, 0)])
def test_a_keypoint_whose_truncated_box_is_off_the_map_loses_its_weight(x, weight):
    # int(53.9 - 6) = 47 < 48, int(54 - 6) = 48; int(-7.9 + 7) = 0, int(-8 + 7) = -1.
    crop_x = 95.5 + (x - 23.5) * 191 / 47
    keypoints = np.array([[[crop_x, 127.5]]]) / SIZE
    _, weights = transpose.subpixel_heatmaps(
        keypoints, np.ones((1, 1, 1)), CROP, HEATMAP
    )
    assert float(weights[0, 0, 0]) == weight


def test_sample_weight_scales_the_loss_of_each_sample():
    maps = np.ones((2, 1, 2, 2), "float32")
    maps[1] = 3
    value = transpose.half_heatmap_loss(
        maps, 0 * maps, np.ones((2, 1, 1)), sample_weight=np.array([4.0, 1.0])
    )
    assert float(value) == pytest.approx((4 * 0.5 * 1 + 0.5 * 9) / 2)
