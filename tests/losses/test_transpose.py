"""The loss of TransPose and TokenPose against their published code."""

import numpy as np
import pytest

from distilpose_keras.codecs.subpixel import SubpixelCodec
from distilpose_keras.losses import transpose


@pytest.fixture(scope="module")
def reference(parity):
    return parity("families/transpose/losses")


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


def test_sample_weight_scales_the_loss_of_each_sample():
    maps = np.ones((2, 1, 2, 2), "float32")
    maps[1] = 3
    value = transpose.half_heatmap_loss(
        maps, 0 * maps, np.ones((2, 1, 1)), sample_weight=np.array([4.0, 1.0])
    )
    assert float(value) == pytest.approx((4 * 0.5 * 1 + 0.5 * 9) / 2)


@pytest.mark.backend
def test_labels_are_drawn_by_the_codec():
    codec = SubpixelCodec((16, 12))
    loss = transpose.HalfHeatmapLoss(codec)
    targets = {
        "keypoints": np.array([[[0.31, 0.62], [0.5, 0.5]]], "float32"),
        "weights": np.array([[[1.0], [0.0]]], "float32"),
    }
    maps, _ = codec.encode(targets["keypoints"], targets["weights"])
    maps[:, 1] = 7  # not labelled
    assert float(loss({"heatmaps": maps}, targets)["heatmap"]) < 1e-10
    maps[:, 0] += 2  # half of 2 squared, in one of two maps
    assert float(loss({"heatmaps": maps}, targets)["heatmap"]) == pytest.approx(1)
