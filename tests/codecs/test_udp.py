"""Unbiased heatmaps against the published encoder and decoder."""

import cv2
import keras
import numpy as np
import pytest

from distilpose_keras.codecs.heatmaps import HeatmapCodec
from distilpose_keras.codecs.udp import UdpHeatmapCodec, newton_offsets
from distilpose_keras.keypoints import COCO_17

CODEC = UdpHeatmapCodec((64, 48))
LAST = np.array([47, 63])


@pytest.fixture(scope="module")
def reference(parity):
    return parity("families/vitpose/decode")


def in_numpy(codec, keypoints, weights):
    return codec.encode(keypoints, weights)


def in_a_graph(codec, keypoints, weights):
    return map(keras.ops.convert_to_numpy, codec.graph_encode(keypoints, weights))


@pytest.mark.backend
@pytest.mark.parametrize("encode", [in_numpy, in_a_graph])
def test_targets_are_the_published_ones(reference, encode):
    keypoints = reference["in_keypoints_px"] / np.float32([191, 255])
    visible = (reference["in_visible"] > 0)[..., None].astype("float32")
    heatmaps, weights = encode(CODEC, keypoints, visible)
    np.testing.assert_allclose(heatmaps[1:2], reference["target"], atol=1e-5)
    np.testing.assert_array_equal(weights[..., 0], reference["weight"])
    assert 0 < weights.sum() < visible.sum()  # some are visible and off the map


def test_targets_in_a_graph_are_those_in_numpy():
    rng = np.random.default_rng(0)
    keypoints = rng.uniform(-0.3, 1.3, (4, 17, 2)).astype("float32")
    weights = rng.integers(0, 2, (4, 17, 1)).astype("float32")
    codec = UdpHeatmapCodec((16, 12), 1.5)
    for ours, theirs in zip(
        in_a_graph(codec, keypoints, weights),
        in_numpy(codec, keypoints, weights),
        strict=True,
    ):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_heatmaps_decode_to_the_published_keypoints(reference):
    maps = reference["heatmaps"].astype("float32")
    keypoints, scores = CODEC.decode({"heatmaps": maps})
    difference = np.abs(keypoints - reference["keypoints"]) * LAST
    assert difference.max() < 1e-3
    np.testing.assert_allclose(scores, reference["scores"], rtol=1e-6)


def test_mirrored_heatmaps_are_averaged_without_a_shift(reference):
    maps = reference["heatmaps"].astype("float32")
    averaged = CODEC.average_mirrored(
        {"heatmaps": maps}, {"heatmaps": maps[::-1]}, COCO_17
    )
    keypoints, scores = CODEC.decode(averaged)
    difference = np.abs(keypoints - reference["flip_keypoints"]) * LAST
    assert difference.max() < 1e-3
    np.testing.assert_allclose(scores, reference["flip_scores"], rtol=1e-6)


@pytest.mark.backend
@pytest.mark.parametrize("dark", [False, True])
def test_a_graph_decodes_as_numpy_does(reference, dark):
    maps = reference["heatmaps"].astype("float32")
    maps[0, 2] = -np.abs(maps[0, 2])  # without a positive value
    codec = UdpHeatmapCodec((64, 48), dark=dark)
    keypoints, scores = codec.decode({"heatmaps": maps})
    found = codec.graph_decode({"heatmaps": keras.ops.convert_to_tensor(maps)})
    found = {k: keras.ops.convert_to_numpy(v) for k, v in found.items()}
    assert np.abs(found["keypoints"] - keypoints).max() * 63 < 2e-3
    np.testing.assert_allclose(found["scores"][..., 0], scores, rtol=1e-6)
    np.testing.assert_allclose(keypoints[0, 2] * LAST, [-1, -1], rtol=1e-6)


def test_a_step_is_that_of_the_blurred_map_at_every_border():
    rng = np.random.default_rng(0)
    maps = rng.uniform(0.1, 1.0, (5, 12, 16)).astype("float32")
    rows, columns = np.array([0, 11, 0, 5, 6]), np.array([0, 15, 7, 0, 9])
    found = newton_offsets(maps, rows, columns)
    for heatmap, row, column, offset in zip(maps, rows, columns, found, strict=True):
        blurred = cv2.GaussianBlur(heatmap, (11, 11), 0)  # mirrors at the border
        log = np.pad(np.log(blurred.astype(float)), 1, mode="edge")
        log = log[row : row + 3, column : column + 3]
        gradient = 0.5 * np.array([log[1, 2] - log[1, 0], log[2, 1] - log[0, 1]])
        cross = log[2, 2] - log[1, 2] - log[2, 1] + log[1, 1]
        cross = 0.5 * (cross + log[1, 1] - log[1, 0] - log[0, 1] + log[0, 0])
        curves = (
            log[1, 2] - 2 * log[1, 1] + log[1, 0],
            log[2, 1] - 2 * log[1, 1] + log[0, 1],
        )
        step = -np.linalg.solve([[curves[0], cross], [cross, curves[1]]], gradient)
        np.testing.assert_allclose(offset, step, rtol=2e-2, atol=1e-3)


def test_the_outer_pixels_are_the_edges_of_the_crop():
    corners = np.array([[[0, 0], [1, 1], [0, 1]]], "float64")
    maps, _ = CODEC.encode(corners, np.ones((1, 3, 1)))
    assert [maps[0, i].argmax() for i in range(3)] == [0, 64 * 48 - 1, 63 * 48]
    found, _ = UdpHeatmapCodec((64, 48), dark=False).decode({"heatmaps": maps})
    np.testing.assert_allclose(found, corners)


def test_the_codec_is_read_back_as_it_is():
    codec = UdpHeatmapCodec((64, 48), sigma=3.0, dark=False)
    assert UdpHeatmapCodec.from_config(codec.get_config()) == codec
    assert codec != HeatmapCodec((64, 48), sigma=3.0, dark=False)
