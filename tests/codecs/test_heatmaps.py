"""Heatmaps against the published encoders and decoders, in NumPy and in graphs."""

import sys

import cv2
import keras
import numpy as np
import pytest

from distilpose_keras.codecs.gaussians import encode_heatmaps
from distilpose_keras.codecs.heatmaps import (
    HeatmapCodec,
    decode_heatmaps,
    flip_heatmaps,
    graph_decode_heatmaps,
)
from distilpose_keras.geometry import PLAIN
from distilpose_keras.keypoints import COCO_17


@pytest.mark.parametrize("dark", [False, True])
def test_heatmaps_decode_to_the_published_keypoints(parity, dark):
    reference = parity("decode")
    keypoints, scores = decode_heatmaps(reference["heatmaps"], dark=dark)
    keypoints = PLAIN.to_image(keypoints, reference["center"], reference["scale"])
    expected = reference["unbiased_xy" if dark else "default_xy"]
    np.testing.assert_allclose(keypoints, expected, atol=1e-2)
    np.testing.assert_array_equal(scores, reference["default_score"][..., 0])


def test_dark_finds_the_middle_of_a_gaussian_between_pixels():
    y, x = np.mgrid[:64, :48]
    middle = np.array([20.3, 31.6])
    distance = (x - middle[0]) ** 2 + (y - middle[1]) ** 2
    heatmap = np.exp(-distance / 8).astype(np.float32)[None, None]
    found, score = decode_heatmaps(heatmap, dark=True)
    np.testing.assert_allclose(found[0, 0] * (48, 64), middle, atol=0.01)
    assert score[0, 0] == heatmap.max()
    coarse, _ = decode_heatmaps(heatmap)
    np.testing.assert_allclose(coarse[0, 0] * (48, 64), [20.25, 31.75])


def test_a_map_with_negative_surroundings_is_smoothed_to_its_own_maximum():
    # The floor of the logarithm cuts in, so the gain of the published code counts.
    rng = np.random.default_rng(3)
    heatmap = rng.normal(0, 0.3, (1, 1, 64, 48)).astype(np.float32)
    heatmap[0, 0, :, :19] -= 0.4
    heatmap[0, 0, 30, 20] = 3.0
    padded = np.zeros((74, 58), np.float32)
    padded[5:-5, 5:-5] = heatmap[0, 0]
    blurred = cv2.GaussianBlur(padded, (11, 11), 0)[5:-5, 5:-5]
    blurred *= heatmap.max() / blurred.max()
    log = np.log(np.maximum(blurred, 1e-10))[28:33, 18:23].astype(float)
    gradient = 0.5 * np.array([log[2, 3] - log[2, 1], log[3, 2] - log[1, 2]])
    cross = 0.25 * (log[3, 3] - log[1, 3] - log[3, 1] + log[1, 1])
    curve_x = 0.25 * (log[2, 4] - 2 * log[2, 2] + log[2, 0])
    curve_y = 0.25 * (log[4, 2] - 2 * log[2, 2] + log[0, 2])
    step = -np.linalg.solve([[curve_x, cross], [cross, curve_y]], gradient)
    found, _ = decode_heatmaps(heatmap, dark=True)
    assert blurred[28:33, 18:23].min() < 1e-10
    np.testing.assert_allclose(
        found[0, 0] * (48, 64), step + [20, 30], rtol=0, atol=1e-3
    )


def test_a_heatmap_without_a_positive_value_has_no_keypoint():
    heatmaps = -np.ones((1, 1, 64, 48), np.float32)
    found, score = decode_heatmaps(heatmaps)
    np.testing.assert_allclose(found[0, 0] * (48, 64), [-1, -1], atol=1e-9)
    assert score[0, 0] == -1


@pytest.mark.parametrize("missing", [-1.0, 0.0])
def test_what_stands_for_no_keypoint_is_a_setting(missing):
    heatmaps = -np.ones((1, 1, 64, 48), np.float32)
    codec = HeatmapCodec((64, 48), missing=missing)
    found, _ = codec.decode({"heatmaps": heatmaps})
    in_graph = codec.graph_decode({"heatmaps": keras.ops.convert_to_tensor(heatmaps)})
    for keypoints in (found, keras.ops.convert_to_numpy(in_graph["keypoints"])):
        points = keypoints[0, 0] * (48, 64)
        np.testing.assert_allclose(points, [missing, missing], atol=1e-6)


def test_heatmaps_of_another_rank_are_refused():
    with pytest.raises(ValueError, match=r"\(N, K, H, W\)"):
        decode_heatmaps(np.zeros((17, 64, 48)))


@pytest.mark.parametrize("dark", [False, True])
def test_maps_are_decoded_together(dark):
    # A loop over maps would call more functions for more of them, and take 50 times
    # as long.
    heatmaps = np.random.default_rng(0).random((32, 17, 64, 48), np.float32)

    def calls(count):
        seen = 0

        def note(frame, event, argument):
            nonlocal seen
            seen += event in ("call", "c_call")

        sys.setprofile(note)
        try:
            decode_heatmaps(heatmaps[:count], dark=dark)
        finally:
            sys.setprofile(None)
        return seen

    calls(2)  # what happens only the first time
    assert calls(2) == calls(32) > 0


def maps_of_all_kinds():
    """Noise, Gaussians anywhere and on borders, and maps without a positive value."""
    rng = np.random.default_rng(5)
    points = rng.uniform(-0.05, 1.05, (6, 17, 2))
    weights = np.ones((6, 17, 1))
    maps = encode_heatmaps(points, weights, (16, 12), 1.5)[0]
    maps += rng.normal(0, 0.05, maps.shape)
    maps[0] = rng.normal(0, 1, maps[0].shape)
    maps[1, 3] = -np.abs(maps[1, 3])
    return maps.astype("float32")


@pytest.mark.backend
@pytest.mark.parametrize("dark", [False, True])
def test_a_graph_decodes_as_numpy_does(parity, dark):
    for maps in (maps_of_all_kinds(), parity("decode")["heatmaps"]):
        keypoints, scores = decode_heatmaps(maps, dark=dark)
        found = graph_decode_heatmaps(keras.ops.convert_to_tensor(maps), dark=dark)
        found_keypoints, found_scores = map(keras.ops.convert_to_numpy, found)
        size = np.array(maps.shape[:1:-1])
        difference = np.abs(found_keypoints - keypoints) * size
        assert difference.max() < (2e-3 if dark else 1e-5)
        np.testing.assert_allclose(found_scores[..., 0], scores, rtol=1e-6)


def test_the_codec_does_what_its_functions_do(parity):
    maps = parity("decode")["heatmaps"][:2]
    codec = HeatmapCodec((64, 48), sigma=3.0, dark=True)
    for ours, theirs in zip(
        codec.decode({"heatmaps": maps}), decode_heatmaps(maps, dark=True), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
    points, ones = np.full((1, 17, 2), 0.5), np.ones((1, 17, 1))
    expected = encode_heatmaps(points, ones, (64, 48), 3.0)[0]
    np.testing.assert_array_equal(codec.encode(points, ones)[0], expected)
    assert HeatmapCodec.from_config(codec.get_config()) == codec


def test_flips_are_the_published_ones(parity):
    reference = parity("decode")
    for shift, name in (
        (False, "heatmaps_flipped"),
        (True, "heatmaps_flipped_shifted"),
    ):
        flipped = flip_heatmaps(reference["heatmaps"][:1], COCO_17, shift=shift)
        np.testing.assert_array_equal(flipped, reference[name])


def test_flipping_twice_restores_unshifted_maps():
    maps = np.random.default_rng(0).random((2, 17, 8, 6))
    once = flip_heatmaps(maps, COCO_17, shift=False)
    np.testing.assert_array_equal(flip_heatmaps(once, COCO_17, shift=False), maps)


def test_what_is_drawn_is_found_within_a_pixel():
    rng = np.random.default_rng(2)
    keypoints = rng.uniform(0, 1, (5, 17, 2))
    maps, _ = encode_heatmaps(keypoints, np.ones((5, 17, 1)), (64, 48))
    found, scores = decode_heatmaps(maps)
    on_map = scores > 0.999  # the peak of a Gaussian beyond the border is cut off
    assert on_map.mean() > 0.9
    assert (np.abs(found - keypoints)[on_map] * (48, 64) <= 0.76).all()
