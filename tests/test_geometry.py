"""Crop geometries against the three published codes that cut crops differently."""

import cv2
import numpy as np
import pytest
import recipe

from distilpose_keras.data.samples import SampleArrays, SampleLoader, SampleRequest
from distilpose_keras.data.transforms import (
    Augmentation,
    box_to_center_scale,
    choose_half_body,
    half_body_center_scale,
    transform_points,
    warp,
)
from distilpose_keras.geometry import ALIGNED, GEOMETRIES, PLAIN, UDP
from distilpose_keras.keypoints import COCO_17

SIZE, HEATMAP = (256, 192), (64, 48)
CORNERS = np.array([[0, 0], [480, 0], [0, 360], [480, 360.0]])
# The published code rounds three points of an image to float32. Far outside a crop that
# shows a few pixels this is seen.
ROUNDING = 4e-4
PUBLISHED = {"plain": "geometry", "aligned": "families/transpose/crops"}
every_geometry = pytest.mark.parametrize(
    "geometry", GEOMETRIES.values(), ids=list(GEOMETRIES)
)


@pytest.mark.parametrize("name", PUBLISHED)
def test_matrices_crops_and_joints_are_the_published_ones(parity, name):
    reference, geometry = parity(PUBLISHED[name]), GEOMETRIES[name]
    picture = recipe.picture(360, 480, seed=3)
    for n, rotation in enumerate(reference["rotation"]):
        window = reference["center"][n], reference["scale"][n], rotation
        matrix = geometry.affine_matrix(*window, output_size=SIZE)
        np.testing.assert_allclose(
            transform_points(CORNERS, matrix),
            transform_points(CORNERS, reference["affine"][n]),
            atol=ROUNDING,
        )
        if n < len(reference["crops"]):
            crop = warp(picture, matrix, SIZE).astype(int)
            assert np.abs(crop - reference["crops"][n]).max() <= 1
        if n < len(reference["joints"]):
            seen = reference["visible"][n] > 0
            joints = transform_points(reference["joints"][n], matrix)
            expected = reference["joints_in_crop"][n]
            np.testing.assert_allclose(joints[seen], expected[seen], atol=1e-4)


def test_aligned_boxes_and_half_bodies_are_the_published_ones(parity):
    reference = parity("families/transpose/crops")
    center, scale = box_to_center_scale(reference["boxes_xywh"], geometry=ALIGNED)
    np.testing.assert_allclose(center, reference["center"], atol=1e-4)
    np.testing.assert_allclose(scale, reference["scale"], rtol=1e-6)
    for upper, name in ((True, "upper"), (False, "lower")):
        for n, expected in enumerate(reference[f"half_body_{name}_cs"]):
            selected = choose_half_body(reference["visible"][n], COCO_17, upper)
            found = half_body_center_scale(
                reference["joints"][n], selected, geometry=ALIGNED
            )
            np.testing.assert_allclose(np.concatenate(found), expected, rtol=1e-6)


def test_aligned_heatmaps_show_what_published(parity):
    reference = parity("families/transpose/crops")
    for n, rotation in enumerate(reference["rotation"]):
        window = reference["center"][n], reference["scale"][n], rotation
        matrix = ALIGNED.affine_matrix(*window, output_size=HEATMAP)
        np.testing.assert_allclose(
            transform_points(CORNERS, matrix),
            transform_points(CORNERS, reference["affine_heatmap"][n]),
            atol=ROUNDING,
        )
    keypoints = ALIGNED.normalize(reference["heatmap_xy"], HEATMAP)
    np.testing.assert_allclose(
        ALIGNED.denormalize(keypoints, SIZE), reference["heatmap_xy_in_crop"], atol=1e-4
    )
    windows = reference["center"][:6], reference["scale"][:6]
    np.testing.assert_allclose(
        ALIGNED.to_image(keypoints, *windows),
        reference["heatmap_xy_in_image"],
        atol=1e-4,
    )


def test_udp_is_the_published_one(parity):
    reference = parity("families/vitpose/crops")
    centers, scales = reference["center"], reference["size_px"] / 200
    for n, rotation in enumerate(reference["rotation"]):
        # The published code of UDP counts rotations the other way round.
        window = centers[n], scales[n], -rotation
        matrix = UDP.affine_matrix(*window, output_size=SIZE)
        np.testing.assert_allclose(matrix, reference["affine"][n], atol=1e-4)
        moved = transform_points(reference["points"][n], matrix)
        np.testing.assert_allclose(moved, reference["points_in_crop"][n], atol=1e-4)
    # The reference's keypoints are (0, 0) at the first and (1, 1) at the last pixel.
    found = UDP.to_image(reference["keypoints"], centers, scales)
    np.testing.assert_allclose(found, reference["image_keypoints"], atol=1e-4)


def test_borders_of_a_map_by_hand():
    # 1 is the centre of the last pixel, but for "plain" the border behind it.
    for geometry, x, y in ((PLAIN, 48, 64), (UDP, 47, 63)):
        np.testing.assert_array_equal(geometry.denormalize([0, 0], HEATMAP), [0, 0])
        np.testing.assert_array_equal(geometry.denormalize([1, 1], HEATMAP), [x, y])
    # Both axes of "aligned" use the 47 pixels of the width: 47 * 64 / 48 = 62 2/3.
    first, last = ALIGNED.denormalize([[0, 0], [1, 1]], HEATMAP)
    np.testing.assert_allclose(first, [0, 31.5 - 31 - 1 / 3])
    np.testing.assert_allclose(last, [47, 31.5 + 31 + 1 / 3])


@every_geometry
def test_what_is_cut_is_found_again_in_the_image(geometry):
    rng = np.random.default_rng(2)
    boxes = rng.uniform(20, 200, (5, 4))
    centers, scales = box_to_center_scale(boxes, geometry=geometry)
    points = centers[:, None] + rng.uniform(-9, 9, (5, 17, 2))
    for size in (SIZE, HEATMAP):
        in_map = [
            transform_points(p, geometry.affine_matrix(c, s, output_size=size))
            for p, c, s in zip(points, centers, scales, strict=True)
        ]
        keypoints = geometry.normalize(in_map, size)
        np.testing.assert_allclose(
            geometry.to_image(keypoints, centers, scales), points, atol=1e-4
        )


@every_geometry
def test_a_flipped_crop_is_the_crop_of_the_mirrored_picture(geometry):
    picture = recipe.picture(120, 160, seed=1)
    center, scale = np.float32([70, 55]), np.float32([0.4, 0.5333])
    matrix = geometry.affine_matrix(center, scale, 25, output_size=SIZE, flip=True)
    flipped = warp(picture, matrix, SIZE)
    # In the mirrored picture, pixel x lies at width - 1 - x.
    mirrored_center = np.float32([159 - 70, 55])
    mirrored = warp(
        np.ascontiguousarray(picture[:, ::-1]),
        geometry.affine_matrix(mirrored_center, scale, 25, output_size=SIZE),
        SIZE,
    )
    # The border blends with black, where a rounded coordinate weighs more.
    difference = np.abs(flipped.astype(int) - mirrored)
    assert np.mean(difference > 2) < 0.005


@every_geometry
def test_samples_are_cut_by_the_geometry_of_the_loader(geometry, tmp_path):

    picture = recipe.picture(200, 300, seed=2)
    cv2.imwrite(str(tmp_path / "a.png"), picture[..., ::-1])
    box, points = [50, 60, 90, 100], np.full((1, 17, 2), 100.0)
    loader = SampleLoader(COCO_17, SIZE, Augmentation.none(), 0, 1 << 20, geometry)
    arrays = SampleArrays.empty(1, SIZE, 17)
    request = SampleRequest(
        np.arange(1),
        [str(tmp_path / "a.png")],
        np.array([box]),
        points,
        np.full((1, 17), 2),
        np.zeros(1, bool),
    )
    assert not loader.load(request, 0, arrays, [0])
    window = box_to_center_scale(box, geometry=geometry)
    matrix = geometry.affine_matrix(*window, output_size=SIZE)
    np.testing.assert_array_equal(arrays.images[0], warp(picture, matrix, SIZE))
    center, scale = (value[None] for value in window)
    found = geometry.to_image(arrays.keypoints, center, scale)
    np.testing.assert_allclose(found, points, atol=1e-4)
