"""Contact sheets of examples with and without pictures."""

import cv2
import numpy as np
import pytest

from distilpose_keras.checking.problems import Example, Problem
from distilpose_keras.checking.sheet import COLUMNS, TILE, contact_sheet
from distilpose_keras.keypoints import COCO_17


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), np.full((90, 160, 3), 100, np.uint8))
    return path


def sheet(*examples):
    problem = Problem("bad", "val", len(examples), len(examples), True, examples)
    return contact_sheet(problem, COCO_17)


def test_cases_stand_in_rows_and_what_has_no_picture_is_left_out(picture, tmp_path):
    shown = [Example(str(n), picture, (90, 160)) for n in range(COLUMNS + 1)]
    lost = Example("lost", tmp_path / "gone.png", (90, 160))
    image, texts = sheet(Example("none"), *shown, lost)
    assert texts == [str(n) for n in range(COLUMNS + 1)]
    assert image.shape == (2 * TILE[0], COLUMNS * TILE[1], 3)
    # The second row has one case, and white beside it.
    assert (image[TILE[0] :, TILE[1] :] == 255).all()
    assert (image[TILE[0] + 110, 110] == 100).all()


def test_a_person_is_drawn(picture):
    person = {
        "box_xywh": np.array([40.0, 20, 40, 60]),
        "keypoints": np.tile([60.0, 50], (17, 1)),
        "visibility": np.ones(17),
    }
    plain, _ = sheet(Example("all", picture, (90, 160)))
    drawn, _ = sheet(Example("person", picture, (90, 160), **person))
    middle = np.s_[90:130, 10:-10]
    assert np.ptp(plain[middle]) == 0 and np.ptp(drawn[middle]) > 50


def test_no_picture_is_no_sheet():
    assert sheet(Example("none")) is None
