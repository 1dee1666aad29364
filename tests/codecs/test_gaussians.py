"""Gaussian targets against the published encoder, in NumPy and in graphs."""

import keras
import numpy as np
import pytest

from distilpose_keras.codecs.gaussians import encode_heatmaps, graph_encode_heatmaps

SIZE = (256, 192)


def in_numpy(keypoints, weights, size, sigma=2.0):
    return encode_heatmaps(keypoints, weights, size, sigma)


def in_a_graph(keypoints, weights, size, sigma=2.0):
    return map(
        keras.ops.convert_to_numpy,
        graph_encode_heatmaps(keypoints, weights, size, sigma),
    )


@pytest.mark.backend
@pytest.mark.parametrize("encode", [in_numpy, in_a_graph])
def test_targets_are_the_published_ones(parity, encode):
    geometry = parity("geometry")
    keypoints = geometry["joints_in_crop"] / np.float32(SIZE[::-1])
    visible = geometry["visible"][..., None]
    heatmaps, weights = encode(keypoints, visible, (64, 48))
    expected = geometry["heatmap_target"]
    np.testing.assert_allclose(heatmaps[: len(expected)], expected, atol=1e-6)
    np.testing.assert_array_equal(weights, geometry["heatmap_weight"])


@pytest.mark.parametrize("encode", [in_numpy, in_a_graph])
def test_targets_round_ties_up_and_drop_keypoints_off_the_map(encode):
    keypoints_px = np.array([[[2, 2], [10, 90], [-26, 10], [219, 0]]], "float32")
    maps, weights = encode(
        keypoints_px / np.array([192, 256], "float32"), np.ones((1, 4, 1)), (64, 48)
    )
    # 2 px / stride 4 + 0.5 = 1; 10 -> 3, 90 -> 23; -26 -> -6: its box [-12, 0] touches;
    # 219 -> 55: its box [49, 61] does not.
    assert maps[0, 0].argmax() == 1 * 48 + 1
    assert maps[0, 1].argmax() == 23 * 48 + 3
    np.testing.assert_array_equal(np.ravel(weights), [1, 1, 1, 0])
    assert not maps[0, 3].any()


@pytest.mark.parametrize("sigma", [1.5, 2.0, 3.0])
def test_targets_in_a_graph_are_those_in_numpy(sigma):
    rng = np.random.default_rng(0)
    keypoints = rng.uniform(-0.3, 1.3, (4, 17, 2)).astype("float32")
    weights = rng.integers(0, 2, (4, 17, 1)).astype("float32")
    for ours, theirs in zip(
        in_a_graph(keypoints, weights, (16, 12), sigma),
        in_numpy(keypoints, weights, (16, 12), sigma),
        strict=True,
    ):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
