"""A detector's boxes: what is read, what is left out, and what is refused."""

import json
import re

import numpy as np
import pytest

from distilpose_keras.data.coco import coco_paths, load_people
from distilpose_keras.data.detections import load_detections

from .conftest import annotation, coco_document


@pytest.fixture
def load(tmp_path):
    """Write a document and load its people."""

    def write_and_load(document):
        path = tmp_path / "people.json"
        path.write_text(json.dumps(document))
        return load_people(path, tmp_path)

    return write_and_load


def test_real_detections_are_read(coco_tiny):
    people = load_people(*coco_paths(coco_tiny, "val"))
    (path,) = (coco_tiny / "person_detection_results").iterdir()
    entries = json.loads(path.read_text())
    found = load_detections(path, people)
    assert len(found) == len(entries)
    assert not found.visibility.any()
    expected = sorted((e["image_id"], e["score"], *e["bbox"]) for e in entries)
    actual = sorted(
        (person.image_id, person.score, *person.box_xywh) for person in found
    )
    np.testing.assert_allclose(actual, expected, rtol=1e-6)
    sure = load_detections(path, people, score_threshold=0.9)
    assert len(sure) == sum(entry["score"] >= 0.9 for entry in entries)
    assert sum(sure.skipped.values()) == len(entries) - len(sure)


def detection(image_id=1, box=(1, 2, 3, 4), score=0.5, category_id=1):
    return {
        "image_id": image_id,
        "category_id": category_id,
        "bbox": list(box),
        "score": score,
    }


def test_detections_that_show_nothing_are_counted(load, tmp_path):
    people = load(coco_document([annotation(0)]))
    path = tmp_path / "detections.json"
    entries = [
        detection(box=(-5, -5, 30, 30)),
        detection(box=(500, 0, 30, 30)),
        detection(box=(0, 0, -3, 30)),
        detection(image_id=9),
        detection(category_id=7),
        detection(score=0.1),
    ]
    path.write_text(json.dumps(entries))
    found = load_detections(path, people, score_threshold=0.2)
    assert found.boxes_xywh.tolist() == [[-5, -5, 30, 30]]  # not clipped
    assert found.annotation_file == people.annotation_file
    assert found.skipped == {
        "below the score threshold": 1,
        "of another category": 1,
        "of an unknown image": 1,
        "with a box outside the image or without area": 2,
    }
    assert len(load_detections(path, people.take([]))) == 2


@pytest.mark.parametrize(
    "text",
    ["[{", "3", '["x"]', '[{"score": 1}]', json.dumps([detection(box=(1, 2))])],
)
def test_files_that_are_not_detections_are_refused(load, tmp_path, text):
    people = load(coco_document([annotation(0)]))
    path = tmp_path / "detections.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=re.escape(str(path))) as error:
        load_detections(path, people)
    assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match="detection file does not exist"):
        load_detections(tmp_path / "missing.json", people)
