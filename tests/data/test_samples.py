from dataclasses import replace

import cv2
import numpy as np
import pytest
import recipe

from distilpose_keras.codecs.coordinates import encode_coordinates
from distilpose_keras.data.images import ImageError
from distilpose_keras.data.samples import (
    ImageCache,
    SampleArrays,
    SampleLoader,
    SampleRequest,
)
from distilpose_keras.data.transforms import (
    Augmentation,
    affordable_reduction,
    box_to_center_scale,
    reduced_matrix,
    transform_points,
    warp,
)
from distilpose_keras.geometry import PLAIN
from distilpose_keras.keypoints import COCO_17

SIZE = (256, 192)


def make(requests, augmentation, seed=0, epoch=0, input_size=SIZE, confidences=None):
    """Load samples of (path, box, keypoints, visibility) tuples."""
    paths, boxes, keypoints, visibility = zip(*requests, strict=True)
    count = len(paths)
    loader = SampleLoader(COCO_17, input_size, augmentation, seed, 1 << 26)
    arrays = SampleArrays.empty(count, input_size, 17)
    request = SampleRequest(
        np.arange(count),
        [str(path) for path in paths],
        np.array(boxes),
        np.array(keypoints),
        np.array(visibility),
        np.zeros(count, bool),
        confidences=confidences,
    )
    return arrays, loader.load(request, epoch, arrays, np.arange(count))


def test_a_keypoint_stays_on_its_spot_through_augmentation(tmp_path):
    rng = np.random.default_rng(8)
    shoulder, mirrored = 5, 6
    requests = []
    for n in range(40):
        spot = rng.uniform(60, 180, 2).round()
        image = np.zeros((240, 240, 3), np.uint8)
        cv2.circle(image, (int(spot[0]), int(spot[1])), 5, (255, 255, 255), -1)
        path = tmp_path / f"{n}.png"
        cv2.imwrite(str(path), image)
        keypoints, visibility = np.zeros((17, 2)), np.zeros(17)
        keypoints[shoulder], visibility[shoulder] = spot, 2
        requests.append((path, (40, 40, 160, 160), keypoints, visibility))
    arrays, errors = make(requests, Augmentation())
    assert not errors
    checked = {shoulder: 0, mirrored: 0}
    for image, keypoints, weights in zip(*arrays, strict=True):
        seen = np.flatnonzero(weights)
        if not len(seen):
            continue  # outside the crop
        point = keypoints[seen[0]] * [192, 256]
        if np.any(point < 15) or np.any(point > [176, 240]):
            continue  # the disc may be cut
        mass = image[..., 0].astype(float)
        y, x = np.mgrid[: SIZE[0], : SIZE[1]]
        middle = np.array([(x * mass).sum(), (y * mass).sum()]) / mass.sum()
        np.testing.assert_allclose(point, middle, atol=0.3)
        checked[seen[0]] += 1
    # A flip makes the left shoulder a right one.
    assert min(checked.values()) > 5


def test_without_augmentation_a_sample_is_the_plain_crop(tmp_path):
    picture = recipe.picture(200, 300, seed=2)
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), picture[..., ::-1])
    keypoints = np.random.default_rng(0).uniform(20, 190, (17, 2))
    visibility = np.arange(17) % 3
    arrays, _ = make(
        [(path, (50, 60, 90, 100), keypoints, visibility)], Augmentation.none()
    )
    center, scale = box_to_center_scale([50, 60, 90, 100])
    matrix = PLAIN.affine_matrix(center, scale, output_size=SIZE)
    np.testing.assert_array_equal(arrays.images[0], warp(picture, matrix, SIZE))
    expected = encode_coordinates(transform_points(keypoints, matrix), visibility, SIZE)
    np.testing.assert_array_equal(arrays.keypoints[0], expected[0])
    np.testing.assert_array_equal(arrays.weights[0], expected[1])
    assert 0 < arrays.weights.sum() < 17


def test_seed_epoch_and_position_decide_alone(people):
    requests = [
        (p.image_path, p.box_xywh, p.keypoints, p.visibility) for p in people[:4]
    ]
    first, _ = make(requests, Augmentation(), seed=1, epoch=2)
    again, _ = make(requests, Augmentation(), seed=1, epoch=2)
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    for seed, epoch in ((1, 3), (2, 2)):
        other, _ = make(requests, Augmentation(), seed=seed, epoch=epoch)
        assert (first.keypoints != other.keypoints).any(axis=(1, 2)).all()


def test_a_bad_picture_spoils_only_its_own_sample(tmp_path, people):
    good = people[0]
    person = (good.box_xywh, good.keypoints, good.visibility)
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(good.image_path.read_bytes()[:500])
    requests = [(good.image_path, *person), (cut, *person), (tmp_path / "no", *person)]
    arrays, errors = make(requests, Augmentation.none())
    assert sorted(errors) == [1, 2]
    assert str(cut) in errors[1]
    assert arrays.images[0].any()


def test_reduction_leaves_two_pixels_for_every_pixel_of_the_crop():
    for zoom, expected in (
        (1, 1),
        (0.3, 1),
        (0.25, 2),
        (0.13, 2),
        (0.125, 4),
        (0.01, 8),
    ):
        scale = np.array([192, 256]) / zoom / 200
        matrix = PLAIN.affine_matrix((9, 9), scale * (1 + 1e-6), 30, output_size=SIZE)
        assert affordable_reduction(matrix) == expected


def test_a_crop_of_a_reduced_picture_shows_the_same_place(tmp_path):
    big = cv2.resize(recipe.picture(200, 300, seed=6), (2400, 1600))
    paths = []
    for kind in ("jpg", "png"):  # only JPEG is read at reduced size
        paths.append(tmp_path / f"a.{kind}")
        cv2.imwrite(str(paths[-1]), big, [cv2.IMWRITE_JPEG_QUALITY, 98])
    person = ((200, 100, 1000, 1300), np.zeros((17, 2)), np.zeros(17))
    arrays, _ = make([(path, *person) for path in paths], Augmentation.none())
    difference = np.abs(arrays.images[0].astype(int) - arrays.images[1])
    assert difference.mean() < 1.0
    # Half a pixel of shift would show: it is larger than the difference.
    shifted = np.abs(arrays.images[0, :, 1:].astype(int) - arrays.images[1, :, :-1])
    assert shifted.mean() > 2 * difference.mean()


def test_the_reduced_matrix_moves_pixel_centers():
    matrix = PLAIN.affine_matrix((300, 200), (2.0, 2.7), 20, output_size=SIZE)
    # Pixel (3, 5) of the picture at a quarter covers pixels 12 to 15 and 20 to 23.
    np.testing.assert_allclose(
        transform_points([3, 5], reduced_matrix(matrix, 4)),
        transform_points([13.5, 21.5], matrix),
    )


def test_the_cache_reads_a_kept_picture_once_and_lets_it_go(tmp_path):
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), recipe.picture(20, 30))
    cache = ImageCache(1 << 20)
    first, _ = cache.read(str(path), 1, keep=True)
    path.unlink()
    assert cache.read(str(path), 1, keep=True)[0] is first
    assert cache.read(str(path), 1, keep=False)[0] is first
    with pytest.raises(ImageError):
        cache.read(str(path), 1, keep=False)


def test_the_cache_keeps_within_its_bytes(tmp_path):
    paths = [str(tmp_path / f"{n}.png") for n in range(4)]
    for path in paths:
        cv2.imwrite(path, recipe.picture(20, 30))
    cache = ImageCache(2 * 20 * 30 * 3)
    for path in paths[:3]:
        cache.read(path, 1, keep=True)
        (tmp_path / path).unlink()
    for kept in paths[1:3]:
        cache.read(kept, 1, keep=True)
    with pytest.raises(ImageError):
        cache.read(paths[0], 1, keep=True)


def test_a_label_weighs_what_it_is_worth_on_either_side(tmp_path):
    path = tmp_path / "grey.png"
    cv2.imwrite(str(path), np.full((240, 240, 3), 127, np.uint8))
    left, right, wrist = 5, 6, 9
    keypoints, visibility = np.full((17, 2), 120.0), np.zeros(17)
    visibility[[left, wrist]] = 2
    worth = np.full((20, 17), 0.3, np.float32)
    worth[:, left] = 0.7
    requests = [(path, (40, 40, 160, 160), keypoints, visibility)] * 20
    flips = replace(Augmentation.none(), flip_probability=0.5)
    arrays, _ = make(requests, flips, confidences=worth)
    of_left, of_right = arrays.weights[:, left, 0], arrays.weights[:, right, 0]
    mirrored = of_right > 0
    assert 0 < mirrored.sum() < 20
    np.testing.assert_allclose(of_right[mirrored], 0.7)
    np.testing.assert_allclose(of_left[~mirrored], 0.7)
    assert not of_left[mirrored].any()
    np.testing.assert_allclose(arrays.weights[~mirrored, wrist, 0], 0.3)
