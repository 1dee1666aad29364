"""Person boxes: OpenCV's finder, detection files, suppression."""

import json

import cv2
import numpy as np
import pytest

from distilpose_keras.data.images import read_image
from distilpose_keras.detection import BoxFile, PersonFinder, whole_image
from distilpose_keras.pictures import Picture

needs_finder = pytest.mark.skipif(
    not hasattr(cv2, "HOGDescriptor"), reason="this OpenCV has no person detector"
)


def picture(name="7.png", image_id=7):
    return Picture(name, image_id, np.zeros((100, 80, 3), np.uint8))


def overlap(a, b):
    """Intersection over union of two boxes."""
    low = np.maximum(a[:2], b[:2])
    high = np.minimum(a[:2] + a[2:], b[:2] + b[2:])
    shared = np.prod(np.maximum(high - low, 0))
    return shared / (np.prod(a[2:]) + np.prod(b[2:]) - shared)


@needs_finder
def test_standing_people_of_a_photograph_are_found(coco_tiny):
    # A catcher and an umpire who stand, among spectators who sit.
    image = read_image(coco_tiny / "val2017" / "000000197388.jpg")
    annotations = json.loads(
        (coco_tiny / "annotations" / "person_keypoints_val2017.json").read_text()
    )["annotations"]
    truth = np.array([a["bbox"] for a in annotations if a["image_id"] == 197388])
    boxes, scores = PersonFinder().find(image)
    best = [max(overlap(box, person) for person in truth) for box in boxes]
    assert max(best) > 0.5
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, :2] + boxes[:, 2:] <= image.shape[1::-1]).all()
    assert (np.diff(scores) <= 0).all()


@needs_finder
@pytest.mark.parametrize("size", [(480, 640), (40, 30), (30, 900)])
def test_an_empty_picture_has_nobody_in_it(size):
    boxes, scores = PersonFinder().find(np.full((*size, 3), 90, np.uint8))
    assert boxes.shape == (0, 4)
    assert scores.shape == (0,)


def test_opencv_without_a_detector_is_named(monkeypatch):
    monkeypatch.delattr(cv2, "HOGDescriptor", raising=False)
    with pytest.raises(ValueError, match=f"OpenCV {cv2.__version__} has no"):
        PersonFinder()


class Windows:
    """A detector that has found these windows."""

    def __init__(self, *windows, margins):
        self.found = np.array(windows), np.array(margins)

    def detectMultiScale(self, *_, **__):
        return self.found


@needs_finder
def test_the_better_of_two_overlapping_boxes_survives():
    finder = PersonFinder()
    # People are 0.8 of a window's width: 80 pixels. Of the first window's box the
    # second shares 60 of 100, the third 40 of 120; the fourth's margin is too small.
    finder._detector = Windows(
        [0, 0, 100, 200],
        [20, 0, 100, 200],
        [40, 0, 100, 200],
        [300, 0, 100, 200],
        margins=[0.7, 1.5, 0.5, 0.29],
    )
    image = np.zeros((480, 640, 3), np.uint8)
    boxes, scores = finder.find(image)
    np.testing.assert_allclose(boxes, [[30, 10, 80, 180]])
    assert scores.tolist() == [1.0]
    finder._detector.found[1][1] = 0.6
    boxes, scores = finder.find(image)
    np.testing.assert_allclose(boxes, [[10, 10, 80, 180], [50, 10, 80, 180]])
    assert scores.tolist() == [0.7, 0.5]


def test_boxes_are_looked_up_by_id_or_file_name(tmp_path):
    path = tmp_path / "boxes.json"
    entries = [
        {"image_id": 7, "bbox": [1, 2, 3, 4], "score": 0.5, "category_id": 1},
        {"file_name": "7.png", "bbox": [5, 6, 7, 8]},
        {"image_id": 8, "bbox": [0, 0, 9, 9], "score": 0.9},
        {"image_id": 7, "bbox": [200, 2, 3, 4], "score": 0.5},  # outside
        {"image_id": 7, "bbox": [10, 2, 0, 4], "score": 0.5},  # without area
    ]
    path.write_text(json.dumps(entries))
    boxes, scores = BoxFile(path).find(picture())
    assert sorted(boxes.tolist()) == [[1, 2, 3, 4], [5, 6, 7, 8]]
    assert sorted(scores.tolist()) == [0.5, 1.0]
    assert BoxFile(path).find(picture("9.png", 9))[0].shape == (0, 4)


@pytest.mark.parametrize(
    "content", ["{", '{"a": 1}', '[{"image_id": 1}]', '[{"image_id": 1, "bbox": [1]}]']
)
def test_a_file_that_holds_no_boxes_is_named(tmp_path, content):
    path = tmp_path / "boxes.json"
    path.write_text(content)
    with pytest.raises(ValueError, match="boxes.json must be a JSON list"):
        BoxFile(path)


def test_whole_image_is_one_person():
    boxes, scores = whole_image(picture().image)
    assert boxes.tolist() == [[0, 0, 80, 100]]
    assert scores.tolist() == [1.0]
