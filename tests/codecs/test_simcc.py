"""The SimCC codec against mmpose, in NumPy and in tensors."""

import keras
import numpy as np
import pytest

from distilpose_keras.codecs.simcc import (
    RTMPOSE,
    SIMCC,
    decode_simcc,
    encode_simcc,
    flip_simcc,
    simcc_heatmaps,
)
from distilpose_keras.keypoints import COCO_17

CROP = (256, 192)
SIZE = np.array([192, 256], "float32")
MODULES = pytest.mark.parametrize("xp", [np, keras.ops], ids=["numpy", "ops"])


@pytest.fixture(scope="module")
def reference(parity):
    return parity("families/rtmpose/codec")


def arrays(tensors):
    return [keras.ops.convert_to_numpy(tensor) for tensor in tensors]


@pytest.mark.backend
@MODULES
@pytest.mark.parametrize("name, style", [("rtmpose", RTMPOSE), ("simcc", SIMCC)])
def test_targets_equal_the_published_ones(reference, xp, name, style):
    keypoints = reference["in_keypoints_px"] / SIZE
    visible = reference["in_visible"][..., None]
    x, y, weights = arrays(encode_simcc(keypoints, visible, CROP, style, xp=xp))
    np.testing.assert_array_equal(weights[..., 0], reference[f"{name}_weight"])
    for values, axis in ((x, "x"), (y, "y")):
        expected = reference[f"{name}_{axis}"]
        np.testing.assert_allclose(values[: len(expected)], expected, atol=1e-6)


def test_half_bins_are_rounded_to_even_whatever_the_rounding_of_float32():
    # Pixels n + 0.25 are bins 2 n + 0.5: even n * 2 is the nearer even bin.
    pixels = np.arange(192, dtype="float32") + 0.25
    keypoints = np.stack([pixels, pixels], axis=-1)[None] / SIZE
    ones = np.ones((1, 192, 1), "float32")
    for xp in (np, keras.ops):
        x, _, _ = encode_simcc(keypoints, ones, CROP, xp=xp)
        peaks = keras.ops.convert_to_numpy(x).argmax(-1)[0]
        np.testing.assert_array_equal(peaks, 2 * np.arange(192))


@pytest.mark.parametrize(
    "x, weight",
    [(-7.5, 1), (-8.0, 0), (199.0, 1), (199.5, 0)],
)
def test_a_keypoint_far_off_an_axis_loses_its_weight(x, weight):
    # Sigma 4.9: three are 14.7 bins. -7.5 px is bin -15: -15 + 14.7 + 1 >= 0, and -16
    # is not; 199 px is bin 398: 398 - 14.7 < 384, and 399 is not.
    keypoints = np.array([[[x, 100.0]]], "float32") / SIZE
    ones = np.ones((1, 1, 1), "float32")
    targets_x, _, weights = encode_simcc(keypoints, ones, CROP, xp=np)
    assert weights.item() == weight
    assert bool(targets_x.any()) == bool(weight)


@pytest.mark.backend
@MODULES
def test_decoded_keypoints_and_scores_equal_the_published_ones(reference, xp):
    keypoints, scores = arrays(
        decode_simcc(reference["decode_in_x"], reference["decode_in_y"], xp=xp)
    )
    np.testing.assert_allclose(
        keypoints * SIZE, reference["decode_keypoints_px"], rtol=1e-6
    )
    np.testing.assert_array_equal(scores[..., 0], reference["decode_scores"])


@MODULES
def test_a_score_that_is_not_positive_puts_both_bins_before_the_first(xp):
    x, y = np.full((1, 2, 384), -1.0, "float32"), np.zeros((1, 2, 512), "float32")
    x[0, 1, 9], y[0, 1, 7] = 0.5, 2.0
    keypoints, scores = arrays(decode_simcc(x, y, xp=xp))
    np.testing.assert_allclose(keypoints[0] * SIZE, [[-0.5, -0.5], [4.5, 3.5]])
    np.testing.assert_array_equal(scores[0, :, 0], [-1, 0.5])


@pytest.mark.backend
@MODULES
def test_flip_average_equals_the_published_one(reference, xp):
    x, y = reference["decode_in_x"], reference["decode_in_y"]
    # Of three images the references are paired with [::-1]: this one with itself.
    flipped = arrays(flip_simcc(x, y, COCO_17, xp=xp))
    keypoints, scores = arrays(
        decode_simcc((x + flipped[0]) / 2, (y + flipped[1]) / 2, xp=xp)
    )
    np.testing.assert_allclose(
        keypoints * SIZE, reference["flip_keypoints_px"], rtol=1e-6
    )
    np.testing.assert_allclose(scores[..., 0], reference["flip_scores"], rtol=1e-6)


@MODULES
def test_flipping_twice_restores_the_logits(reference, xp):
    x, y = reference["decode_in_x"], reference["decode_in_y"]
    again = flip_simcc(*flip_simcc(x, y, COCO_17, xp=xp), COCO_17, xp=xp)
    for values, expected in zip(arrays(again), (x, y), strict=True):
        np.testing.assert_array_equal(values, expected)


@pytest.mark.backend
@MODULES
def test_heatmap_of_certain_distributions_is_the_gaussian_of_a_heatmap_model(xp):
    x, y = np.zeros((1, 1, 384), "float32"), np.zeros((1, 1, 512), "float32")
    x[..., 8 * 20 + 2], y[..., 8 * 30] = 100, 100  # heatmap pixels 20.25 and 30
    maps = simcc_heatmaps(x, y, (64, 48), beta=1.0, xp=xp)
    rows, columns = np.mgrid[0:64, 0:48]
    expected = np.exp(-((columns - 20.25) ** 2 + (rows - 30) ** 2) / (2 * 2.0**2))
    np.testing.assert_allclose(arrays([maps])[0][0, 0], expected, atol=1e-6)


def test_heatmap_of_an_open_choice_is_the_mean_of_both_gaussians():
    x, y = np.zeros((1, 1, 384), "float32"), np.zeros((1, 1, 512), "float32")
    x[..., 80] = x[..., 160] = 10.0  # pixels 10 and 20, one as likely as the other
    y[..., 240] = 10.0
    both = simcc_heatmaps(x, y, (64, 48), beta=10.0, xp=np)[0, 0]
    # 0.5 at each place, and what the other Gaussian, ten pixels away, adds.
    assert both[30, 10] == pytest.approx(0.5 * (1 + np.exp(-12.5)), abs=1e-5)
    assert both[30, 15] == pytest.approx(np.exp(-25 / 8), abs=1e-5)
    assert both.max() <= 1


@pytest.mark.backend
def test_heatmaps_agree_in_numpy_and_in_tensors(reference):
    logits = reference["decode_in_x"], reference["decode_in_y"]
    maps = simcc_heatmaps(*logits, (64, 48), beta=RTMPOSE.beta)
    expected = simcc_heatmaps(*logits, (64, 48), beta=RTMPOSE.beta, xp=np)
    np.testing.assert_allclose(arrays([maps])[0], expected, atol=1e-6)
    assert expected.dtype == np.float32
