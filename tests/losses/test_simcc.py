"""The losses of SimCC and RTMPose against the published implementation."""

import keras
import numpy as np
import pytest

from distilpose_keras.codecs.simcc import RTMPOSE, SIMCC, encode_simcc
from distilpose_keras.losses import simcc

CROP = (256, 192)
CASES = {
    "rtmpose_some_hidden": (simcc.rtmpose_loss, RTMPOSE),
    "simcc_some_hidden": (simcc.simcc_loss, SIMCC),
}


@pytest.fixture(scope="module")
def reference(parity):
    return parity("families/rtmpose/losses")


def load(reference, case):
    """Logits of both axes; targets of both axes and the weights (B, K, 1)."""
    logits = {axis: reference[f"{case}/in_{axis}"] for axis in "xy"}
    keypoints = reference[f"{case}/in_keypoints_px"] / np.float32(CROP[::-1])
    visible = reference[f"{case}/in_visible"][..., None]
    targets = encode_simcc(keypoints, visible, CROP, CASES[case][1], xp=np)
    return logits, targets


@pytest.mark.backend
@pytest.mark.parametrize("case", CASES)
def test_losses_and_gradients_equal_the_published_ones(
    reference, value_and_gradients, case
):
    loss = CASES[case][0]
    logits, targets = load(reference, case)
    np.testing.assert_array_equal(targets[2][..., 0], reference[f"{case}/in_weight"])
    value, gradients = value_and_gradients(
        lambda t: loss(t["x"], t["y"], *targets), logits
    )
    samples = len(logits["x"])  # the published loss is their sum
    np.testing.assert_allclose(samples * value, reference[f"{case}/loss"], rtol=1e-5)
    for axis, gradient in gradients.items():
        expected = reference[f"{case}/grad_{axis}"]
        np.testing.assert_allclose(
            samples * gradient[..., ::16],
            expected,
            rtol=1e-5,
            atol=1e-5 * np.abs(expected).max(),
        )


def test_underflown_targets_have_a_finite_loss_and_gradient(value_and_gradients):
    targets = np.zeros((1, 1, 8), "float32")
    targets[..., 3] = 1
    logits = {"x": np.zeros((1, 1, 8), "float32")}
    weights = np.ones((1, 1, 1), "float32")

    def total(tensors):
        return simcc.simcc_loss(tensors["x"], tensors["x"], targets, targets, weights)

    value, gradients = value_and_gradients(total, logits)
    # Two axes of log 8 over 8 bins.
    assert value == pytest.approx(2 * np.log(8) / 8, rel=1e-5)
    np.testing.assert_allclose(gradients["x"], 2 * (1 / 8 - targets) / 8, atol=1e-7)


def test_sample_weight_scales_the_loss_of_each_sample(reference):
    logits, targets = load(reference, "rtmpose_some_hidden")
    arrays = *logits.values(), *targets
    factors = np.array([3.0, 0.5], "float32")
    weighted = simcc.rtmpose_loss(*arrays, sample_weight=factors)
    one, other = (
        float(simcc.rtmpose_loss(*(a[i : i + 1] for a in arrays))) for i in range(2)
    )
    assert float(weighted) == pytest.approx((3 * one + 0.5 * other) / 2, rel=1e-5)


def test_losses_are_float32_for_half_precision_inputs(reference):
    logits, targets = load(reference, "rtmpose_some_hidden")
    half = [array.astype("float16") for array in (*logits.values(), *targets)]
    value = simcc.rtmpose_loss(*half)
    assert keras.backend.standardize_dtype(value.dtype) == "float32"
