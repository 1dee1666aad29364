"""Crops: the right people, from the right places, in bounded batches."""

import dataclasses
import json
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from distilpose_keras.crops import crop_batches, crop_people
from distilpose_keras.data.coco import load_people
from distilpose_keras.data.images import ImageError
from distilpose_keras.keypoints import COCO_17

SIZE = (64, 48)


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """Ten people in five pictures, each box painted in a grey of its own: 20 n."""
    folder = tmp_path_factory.mktemp("people")
    images, annotations = [], []
    for image in range(5):
        picture = np.zeros((100, 160, 3), np.uint8)
        for place in range(2):
            number = len(annotations)
            left, top = 10 + 80 * place, 10 + image
            picture[top : top + 80, left : left + 60] = 20 * number
            annotations.append(
                {
                    "id": number,
                    "image_id": image,
                    "category_id": 1,
                    "bbox": [left, top, 60, 80],
                    "keypoints": [left, top, 2] * 17,
                }
            )
        cv2.imwrite(str(folder / f"{image}.png"), picture)
        name = {"id": image, "file_name": f"{image}.png", "width": 160, "height": 100}
        images.append(name)
    category = {"id": 1, "name": "person", "keypoints": list(COCO_17.names)}
    document = {"images": images, "annotations": annotations, "categories": [category]}
    (folder / "people.json").write_text(json.dumps(document))
    return load_people(folder / "people.json", folder)


def test_a_crop_shows_its_window_at_its_size():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (100, 160, 3), np.uint8)
    # A scale of 1 is 200 pixels: the first window is as large as the crop, the second
    # twice as large.
    centers = np.array([[84.0, 52.0], [60.0, 50.0]])
    scales = np.array([[48, 64], [96, 128]]) / 200
    same, half = crop_people(image, centers, scales, SIZE)
    np.testing.assert_array_equal(same, image[20:84, 60:108])
    # Pixel (row, column) of the crop is at (2 row - 14, 2 column + 12) of the image.
    np.testing.assert_array_equal(half[7:57], image[0:100:2, 12:108:2])
    assert not half[:7].any() and not half[57:].any()  # outside the image


@pytest.mark.parametrize("workers", [1, 3])
def test_everybody_comes_once_in_batches_that_are_full_but_the_last(people, workers):
    mixed = people.take([7, 0, 3, 9, 1, 2, 5, 8, 6, 4])
    batches = list(crop_batches(mixed, input_size=SIZE, batch_size=4, workers=workers))
    assert [len(batch.indices) for batch in batches] == [4, 4, 2]
    indices = np.concatenate([batch.indices for batch in batches])
    numbers = mixed.annotation_ids[indices]
    # Picture by picture, each decoded once; within one, in the order of the index.
    assert numbers.tolist() == [0, 1, 3, 2, 5, 4, 7, 6, 9, 8]
    for batch in batches:
        greys = batch.crops[:, 32, 24, 0]
        assert greys.tolist() == (20 * mixed.annotation_ids[batch.indices]).tolist()
        middles = mixed.boxes_xywh[batch.indices] @ [[1, 0], [0, 1], [0.5, 0], [0, 0.5]]
        np.testing.assert_allclose(batch.centers, middles)
        # Boxes of 60 x 80 have the aspect of the crop; it shows a quarter more.
        np.testing.assert_allclose(batch.scales, [[0.375, 0.5]] * len(greys))


def test_nobody_makes_no_batch(people):
    assert not list(crop_batches(people.take([]), input_size=SIZE, batch_size=2))


def test_only_a_few_pictures_wait_to_be_read(people, monkeypatch):
    waiting = []

    class Spy(ThreadPoolExecutor):
        def submit(self, function, group):
            waiting.append(group)
            return super().submit(function, group)

    monkeypatch.setattr("distilpose_keras.crops.ThreadPoolExecutor", Spy)
    batches = crop_batches(people, input_size=SIZE, batch_size=2, workers=1)
    next(batches)
    # Two per thread and one, and another in the place of that which is done.
    assert len(waiting) == 4
    batches.close()


def test_a_missing_image_is_named(people, tmp_path):
    elsewhere = dataclasses.replace(people, image_dir=tmp_path)
    with pytest.raises(ImageError, match="0.png"):
        list(crop_batches(elsewhere, input_size=SIZE, batch_size=2))
