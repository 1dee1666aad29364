"""Coordinates against the published encoder, decoder and flip."""

import numpy as np

from distilpose_keras.codecs.coordinates import (
    CoordinateCodec,
    encode_coordinates,
    flip_keypoints,
)
from distilpose_keras.data.transforms import transform_points
from distilpose_keras.geometry import PLAIN
from distilpose_keras.keypoints import COCO_17

SIZE = (256, 192)


def test_regression_targets_are_the_published_ones(parity):
    geometry = parity("geometry")
    keypoints, weights = encode_coordinates(
        geometry["joints_in_crop"], geometry["visible"], SIZE
    )
    np.testing.assert_allclose(keypoints, geometry["regression_target"], atol=1e-6)
    # The reference repeats the weight for x and y.
    np.testing.assert_array_equal(weights, geometry["regression_weight"][..., :1])


def test_a_joint_on_the_last_pixel_counts_and_one_beyond_does_not():
    points = np.array([[0, 0], [191, 255], [191.1, 255], [0, -0.1], [50, 50]])
    _, weights = encode_coordinates(points, [2, 1, 2, 2, 0], SIZE)
    assert weights.ravel().tolist() == [1, 1, 0, 0, 0]


def test_regression_decodes_to_the_published_keypoints(parity):
    reference = parity("decode")
    found = PLAIN.to_image(
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
            transform_points(points, PLAIN.affine_matrix(c, s, output_size=SIZE))
            for points, c, s in zip(source, centers, scales, strict=True)
        ]
    )
    keypoints, weights = encode_coordinates(in_crop, np.ones((5, 17)), SIZE)
    assert weights.all()
    found = PLAIN.to_image(keypoints, centers, scales)
    np.testing.assert_allclose(found, source, atol=1e-3)


def test_a_flip_is_the_published_one(parity):
    reference = parity("decode")
    np.testing.assert_allclose(
        flip_keypoints(reference["regression"], COCO_17),
        reference["regression_flipped"],
        atol=1e-6,
    )


def test_flipping_twice_restores():
    keypoints = np.random.default_rng(0).random((3, 17, 2))
    twice = flip_keypoints(flip_keypoints(keypoints, COCO_17), COCO_17)
    np.testing.assert_allclose(twice, keypoints, atol=1e-15)


def test_mirrored_outputs_are_averaged_joint_by_joint():
    left, right = COCO_17.flip_pairs[0]
    outputs = {"keypoints": np.full((1, 17, 2), 0.5), "scores": np.ones((1, 17, 1))}
    mirrored = {name: value.copy() for name, value in outputs.items()}
    outputs["keypoints"][0, left] = (0.4, 0.1)
    mirrored["keypoints"][0, right] = (0.7, 0.3)  # seen from the other side: (0.3, 0.3)
    mirrored["scores"][0, right] = 0.5
    found = CoordinateCodec().average_mirrored(outputs, mirrored, COCO_17)
    np.testing.assert_allclose(found["keypoints"][0, left], (0.35, 0.2))
    np.testing.assert_allclose(found["scores"][0, left], 0.75)
    keypoints, scores = CoordinateCodec().decode(found)
    assert keypoints.shape == (1, 17, 2) and scores.shape == (1, 17)


def test_a_shift_moves_the_keypoints_of_mirrored_crops_alone():
    codec = CoordinateCodec(mirror_shift=1 / 192)
    keypoints = np.full((1, 17, 2), 0.25)
    outputs = {"keypoints": keypoints, "scores": np.ones((1, 17, 1))}
    # Pixel 48 of 192 is mirrored about the last one, 191, to 143 = 0.75 - 1 / 192.
    mirrored = {**outputs, "keypoints": np.full((1, 17, 2), (143 / 192, 0.25))}
    averaged = codec.average_mirrored(outputs, mirrored, COCO_17)["keypoints"]
    np.testing.assert_allclose(averaged, keypoints)
    assert CoordinateCodec.from_config(codec.get_config()) == codec
