"""Calibration crops: who is drawn, and what is refused."""

import dataclasses

import numpy as np
import pytest

from distilpose_keras.data.coco import coco_paths, load_people
from distilpose_keras.export.calibration import calibration_crops
from distilpose_keras.keypoints import KeypointSchema


@pytest.fixture(scope="module")
def training_people(data):
    return load_people(*coco_paths(data, "train"))


def test_crops_have_the_size_of_the_models_input(training_people, student):
    crops = calibration_crops(training_people, student, count=20)
    assert crops.shape == (20, 64, 48, 3)
    assert crops.dtype == np.uint8
    assert crops.std() > 10  # pictures, not padding


def test_the_seed_decides_who_is_drawn(training_people, student):
    draw = [
        calibration_crops(training_people, student, count=16, seed=seed)
        for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(draw[0], draw[1])
    assert (draw[0] != draw[2]).any()


def test_a_small_data_set_is_used_whole(training_people, student):
    people = training_people.limit(17)
    assert len(calibration_crops(people, student, count=256)) == 17


def test_too_few_people_are_refused(training_people, student):
    with pytest.raises(ValueError, match="at least 16 people .* Received: 3 in .*json"):
        calibration_crops(training_people.limit(3), student)


def test_keypoints_of_another_schema_are_refused(training_people, student):
    hands = KeypointSchema(("thumb", "index"), (), ((0, 1),), (0.1, 0.1), (0, 1))
    people = dataclasses.replace(training_people, schema=hands)
    with pytest.raises(
        ValueError, match=r"the model's 17 keypoints .* Received: 2 \(thumb, index"
    ):
        calibration_crops(people, student)
