import time

import cv2
import numpy as np
import pytest

from distilpose_keras.data.codecs import (
    decode_heatmaps,
    decode_regression,
    encode_heatmaps,
    encode_regression,
    flip_heatmaps,
    flip_keypoints,
)
from distilpose_keras.data.transforms import affine_matrix, transform_points
from distilpose_keras.keypoints import COCO_17

SIZE = (256, 192)


def test_regression_targets_are_the_published_ones(parity):
    geometry = parity("geometry")
    keypoints, weights = encode_regression(
        geometry["joints_in_crop"], geometry["visible"], SIZE
    )
    np.testing.assert_allclose(keypoints, geometry["regression_target"], atol=1e-6)
    # The reference repeats the weight for x and y.
    np.testing.assert_array_equal(weights, geometry["regression_weight"][..., :1])


def test_a_joint_on_the_last_pixel_counts_and_one_beyond_does_not():
    points = np.array([[0, 0], [191, 255], [191.1, 255], [0, -0.1], [50, 50]])
    _, weights = encode_regression(points, [2, 1, 2, 2, 0], SIZE)
    assert weights.ravel().tolist() == [1, 1, 0, 0, 0]


def test_heatmap_targets_are_the_published_ones(parity):
    geometry = parity("geometry")
    heatmaps, weights = encode_heatmaps(
        geometry["joints_in_crop"], geometry["visible"], SIZE
    )
    expected = geometry["heatmap_target"]
    np.testing.assert_allclose(heatmaps[: len(expected)], expected, atol=1e-6)
    np.testing.assert_array_equal(weights, geometry["heatmap_weight"])


@pytest.mark.parametrize("dark", [False, True])
def test_heatmaps_decode_to_the_published_keypoints(parity, dark):
    reference = parity("decode")
    keypoints, scores = decode_heatmaps(
        reference["heatmaps"], reference["center"], reference["scale"], dark=dark
    )
    expected = reference["unbiased_xy" if dark else "default_xy"]
    np.testing.assert_allclose(keypoints, expected, atol=1e-2)
    np.testing.assert_array_equal(scores, reference["default_score"][..., 0])


def test_dark_finds_the_middle_of_a_gaussian_between_pixels():
    y, x = np.mgrid[:64, :48]
    middle = np.array([20.3, 31.6])
    distance = (x - middle[0]) ** 2 + (y - middle[1]) ** 2
    heatmap = np.exp(-distance / 8).astype(np.float32)[None, None]
    # A crop that shows source pixels one to one with the heatmap, from (0, 0).
    center, scale = np.array([[24.0, 32]]), np.array([[48, 64]]) / 200
    found, score = decode_heatmaps(heatmap, center, scale)
    np.testing.assert_allclose(found[0, 0], middle, atol=0.01)
    assert score[0, 0] == heatmap.max()
    coarse, _ = decode_heatmaps(heatmap, center, scale, dark=False)
    np.testing.assert_allclose(coarse[0, 0], [20.25, 31.75])


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
    found, _ = decode_heatmaps(
        heatmap, np.array([[24.0, 32]]), np.array([[48, 64]]) / 200
    )
    assert blurred[28:33, 18:23].min() < 1e-10
    np.testing.assert_allclose(found[0, 0], step + [20, 30], rtol=0, atol=1e-3)


def test_a_heatmap_without_a_positive_value_has_no_keypoint():
    heatmaps = -np.ones((1, 1, 64, 48), np.float32)
    found, score = decode_heatmaps(heatmaps, [[24.0, 32]], np.array([[48, 64]]) / 200)
    np.testing.assert_allclose(found[0, 0], [-1, -1], atol=1e-9)
    assert score[0, 0] == -1


def test_heatmaps_of_another_rank_are_refused():
    with pytest.raises(ValueError, match=r"\(N, K, H, W\)"):
        decode_heatmaps(np.zeros((17, 64, 48)), None, None)


def test_a_batch_of_heatmaps_decodes_in_a_fraction_of_a_second():
    heatmaps = np.random.default_rng(0).random((32, 17, 64, 48), np.float32)
    ones = np.ones((32, 2))
    decode_heatmaps(heatmaps, ones, ones)
    start = time.process_time()
    decode_heatmaps(heatmaps, ones, ones)
    assert time.process_time() - start < 0.15  # 7 ms; a loop over maps takes 50 times


def test_regression_decodes_to_the_published_keypoints(parity):
    reference = parity("decode")
    found = decode_regression(
        reference["regression"], reference["center"], reference["scale"]
    )
    np.testing.assert_allclose(found, reference["regression_xy"], atol=1e-2)


def test_what_is_encoded_decodes_to_the_same_pixels():
    rng = np.random.default_rng(2)
    centers = rng.uniform(100, 300, (5, 2)).astype(np.float32)
    widths = rng.uniform(0.3, 1.5, 5)
    scales = np.float32(np.stack([widths, widths * 4 / 3], axis=1))
    reach = scales[:, None] * 90
    source = centers[:, None] + rng.uniform(-1, 1, (5, 17, 2)) * reach
    in_crop = np.stack(
        [
            transform_points(points, affine_matrix(c, s, output_size=SIZE))
            for points, c, s in zip(source, centers, scales, strict=True)
        ]
    )
    keypoints, weights = encode_regression(in_crop, np.ones((5, 17)), SIZE)
    assert weights.all()
    found = decode_regression(keypoints, centers, scales)
    np.testing.assert_allclose(found, source, atol=1e-3)
    heatmaps, _ = encode_heatmaps(in_crop, np.ones((5, 17)), SIZE)
    found, scores = decode_heatmaps(heatmaps, centers, scales, dark=False)
    pixel = (scales * 200 / [48, 64])[:, None]
    assert (np.abs(found - source) <= 0.76 * pixel).all()
    assert (scores == 1).all()


def test_flips_are_the_published_ones(parity):
    reference = parity("decode")
    np.testing.assert_allclose(
        flip_keypoints(reference["regression"], COCO_17),
        reference["regression_flipped"],
        atol=1e-6,
    )
    for shift, name in (
        (False, "heatmaps_flipped"),
        (True, "heatmaps_flipped_shifted"),
    ):
        flipped = flip_heatmaps(reference["heatmaps"][:1], COCO_17, shift=shift)
        np.testing.assert_array_equal(flipped, reference[name])


def test_flipping_twice_restores():
    rng = np.random.default_rng(0)
    keypoints = rng.random((3, 17, 2))
    twice = flip_keypoints(flip_keypoints(keypoints, COCO_17), COCO_17)
    np.testing.assert_allclose(twice, keypoints, atol=1e-15)
    maps = rng.random((2, 17, 8, 6))
    once = flip_heatmaps(maps, COCO_17, shift=False)
    np.testing.assert_array_equal(flip_heatmaps(once, COCO_17, shift=False), maps)
