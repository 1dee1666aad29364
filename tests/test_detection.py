"""Person boxes: our finder, detection files, suppression."""

import json

import numpy as np
import pytest

from distilpose_keras.data.images import read_image
from distilpose_keras.detection import (
    BoxFile,
    PersonFinder,
    boxes_of,
    letterbox,
    select,
    whole_image,
)
from distilpose_keras.pictures import Picture


def picture(name="7.png", image_id=7):
    return Picture(name, image_id, np.zeros((100, 80, 3), np.uint8))


def overlap(a, b):
    """Intersection over union of two boxes."""
    low = np.maximum(a[:2], b[:2])
    high = np.minimum(a[:2] + a[2:], b[:2] + b[2:])
    shared = np.prod(np.maximum(high - low, 0))
    return shared / (np.prod(a[2:]) + np.prod(b[2:]) - shared)


@pytest.fixture(scope="module")
def finder():
    return PersonFinder(num_threads=1)


def test_standing_people_of_a_photograph_are_found(coco_tiny, finder):
    # A catcher and an umpire who stand, among spectators who sit.
    image = read_image(coco_tiny / "val2017" / "000000197388.jpg")
    annotations = json.loads(
        (coco_tiny / "annotations" / "person_keypoints_val2017.json").read_text()
    )["annotations"]
    truth = np.array([a["bbox"] for a in annotations if a["image_id"] == 197388])
    boxes, scores = finder.find(image)
    best = [max(overlap(box, person) for person in truth) for box in boxes]
    assert max(best) > 0.5
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, :2] + boxes[:, 2:] <= np.array(image.shape[1::-1]) + 1e-9).all()
    assert (np.diff(scores) <= 0).all()


@pytest.mark.parametrize("size", [(480, 640), (40, 30), (30, 900), (1, 1), (2, 30000)])
def test_an_empty_picture_has_nobody_in_it(size, finder):
    boxes, scores = finder.find(np.full((*size, 3), 90, np.uint8))
    assert boxes.shape == (0, 4)
    assert scores.shape == (0,)


@pytest.mark.parametrize(
    ("image", "line"),
    [
        (np.zeros((8, 8), np.uint8), r"\(height, width, 3\). Received: \(8, 8\)"),
        (np.zeros((8, 8, 3)), "uint8 RGB. Received: float64"),
    ],
)
def test_what_is_no_picture_is_refused(image, line, finder):
    with pytest.raises(ValueError, match=line):
        finder.find(image)


def test_a_picture_is_shown_whole_in_the_upper_left():
    image = np.full((100, 200, 3), 7, np.uint8)
    shown, extent = letterbox(image, (64, 64))
    assert extent.tolist() == [64, 32]
    assert (shown[:32] == 7).all()
    assert (shown[32:] != 7).all()


def test_the_better_of_two_overlapping_boxes_survives():
    # Fractions of 200 x 100 pixels. The second shares 0.8 of the first, the third none;
    # the fourth is unsure, the fifth reaches beyond the picture.
    corners = np.array(
        [
            [0.1, 0.1, 0.3, 0.9],
            [0.1, 0.18, 0.3, 0.9],
            [0.5, 0.1, 0.6, 0.5],
            [0.7, 0.1, 0.8, 0.5],
            [0.9, -0.5, 1.5, 0.5],
        ]
    )
    scores = np.array([0.5, 0.9, 0.6, 0.29, 0.4])
    boxes, kept = select(corners, scores, (100, 200), 0.3)
    expected = [[20, 18, 40, 72], [100, 10, 20, 40], [180, 0, 20, 50]]
    np.testing.assert_allclose(boxes, expected, atol=1e-9)
    assert kept.tolist() == [0.9, 0.6, 0.4]


def test_several_hundred_people_are_all_kept():
    x, y = (v.ravel() / 30 for v in np.meshgrid(np.arange(30), np.arange(30)))
    corners = np.stack([x, y, x + 0.03, y + 0.03], axis=1)
    boxes, _ = select(corners, np.full(900, 0.5), (600, 600), 0.3)
    assert len(boxes) == 900


def test_boxes_of_supervision_are_taken():
    class Detections:
        xyxy = np.array([[1.0, 2.0, 4.0, 8.0]])
        confidence = None

    boxes, scores = boxes_of(Detections)
    assert boxes.tolist() == [[1, 2, 3, 6]]
    assert scores.tolist() == [1]
    with pytest.raises(ValueError, match="must have xyxy"):
        boxes_of([1, 2])


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
