"""Patches: the same crops as from the pictures, read without decoding."""

import pickle
from dataclasses import replace

import cv2
import numpy as np
import pytest
import recipe

from distilpose_keras.data.cache import PatchCache, open_cache
from distilpose_keras.data.dataset import PoseDataset
from distilpose_keras.data.images import ImageError
from distilpose_keras.data.transforms import Augmentation

SIZE = (64, 48)
STRONG = Augmentation(rotation_probability=1.0, upside_down_probability=0.3)


def batches_of(people, **options):
    with PoseDataset(people, batch_size=6, input_size=SIZE, **options) as batches:
        return [batches[i] for i in range(len(batches))]


def assert_same_batches(expected, received):
    for (images, targets), (others, other_targets) in zip(
        expected, received, strict=True
    ):
        # OpenCV rounds sampling positions to 1/32 pixel, from another origin here.
        difference = np.abs(images.astype(int) - others.astype(int))
        assert difference.max() <= 2
        assert (difference > 0).mean() < 0.01
        for name, values in targets.items():
            np.testing.assert_array_equal(other_targets[name], values)


@pytest.mark.parametrize("augmentation", [None, Augmentation(), STRONG])
def test_batches_are_those_of_the_pictures(people, tmp_path, augmentation):
    options = {"augmentation": augmentation, "image_dtype": "uint8"}
    expected = batches_of(people, **options)
    assert_same_batches(expected, batches_of(people, cache=tmp_path, **options))


def test_workers_read_the_same_patches(people, tmp_path):
    options = {"augmentation": STRONG, "image_dtype": "uint8", "cache": tmp_path}
    alone = batches_of(people, **options)
    assert_same_batches(alone, batches_of(people, workers=2, **options))


def test_pictures_are_not_opened_again(people, tmp_path):
    how = {"input_size": SIZE, "augmentation": STRONG}
    open_cache(tmp_path, people, **how)
    gone = replace(people, image_files=list(people.image_files))
    cache = open_cache(tmp_path, gone, **how)
    written = {path.name for path in tmp_path.iterdir()}
    assert len(written) == 2
    patch, corner, reduction = cache.read(0)
    assert patch.ndim == 3
    assert reduction == 1
    assert (corner >= 0).all()


@pytest.mark.parametrize("change", ["boxes", "size", "augmentation"])
def test_what_crops_depend_on_makes_another_cache(people, tmp_path, change):
    how = {"input_size": SIZE, "augmentation": Augmentation()}
    open_cache(tmp_path, people, **how)
    if change == "boxes":
        people = replace(people, boxes_xywh=people.boxes_xywh + 1)
    elif change == "size":
        how["input_size"] = (32, 24)
    else:
        how["augmentation"] = STRONG
    open_cache(tmp_path, people, **how)
    assert len(list(tmp_path.glob("*.bin"))) == 2


def test_order_of_people_may_differ_from_that_of_pictures(people, tmp_path):
    order = np.random.default_rng(0).permutation(len(people))
    options = {"augmentation": None, "image_dtype": "uint8", "shuffle": False}
    shuffled = people.take(order)
    expected = batches_of(shuffled, **options)
    assert_same_batches(expected, batches_of(shuffled, cache=tmp_path, **options))


def test_patches_of_large_pictures_are_reduced(people, tmp_path):
    path = tmp_path / "large.jpg"
    cv2.imwrite(str(path), recipe.picture(1000, 800, seed=1))
    large = replace(
        people.take([0]),
        image_dir=tmp_path,
        image_files=["large.jpg"] * len(people.image_files),
        image_sizes=np.full_like(people.image_sizes, [1000, 800]),
        boxes_xywh=np.array([[100.0, 100.0, 480.0, 640.0]]),
    )
    how = {"input_size": SIZE, "augmentation": Augmentation.none()}
    patch, _, reduction = open_cache(tmp_path / "cache", large, **how).read(0)
    # The crop shows 800x600 pixels, 12.5 along each of its own: 3.1 of them are left.
    assert reduction == 4
    assert patch.shape[0] <= 800 / 4 + 6


def test_a_bad_picture_is_an_error_when_it_is_read(people, tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in people.image_files:
        cv2.imwrite(str(folder / name), recipe.picture(120, 160, seed=1))
    bad = people.image_files[people.image_index[3]]
    (folder / bad).write_bytes(b"not a picture")
    damaged = replace(people, image_dir=folder)
    how = {"input_size": SIZE, "augmentation": Augmentation.none()}
    cache = open_cache(tmp_path, damaged, **how)
    with pytest.raises(ImageError, match=bad):
        cache.read(3)
    good = np.flatnonzero(people.image_index != people.image_index[3])[0]
    assert cache.read(int(good))[0].size


def test_a_pickled_cache_maps_the_file_itself(people, tmp_path):
    how = {"input_size": SIZE, "augmentation": Augmentation.none()}
    cache = open_cache(tmp_path, people, **how)
    patch, _, _ = cache.read(0)
    data = pickle.dumps(cache)
    assert len(data) < patch.nbytes * len(people)
    again = pickle.loads(data)
    assert isinstance(again, PatchCache)
    np.testing.assert_array_equal(again.read(0)[0], patch)
