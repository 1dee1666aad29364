"""What poses are scored against is what the file says, to the last digit."""

import json

import numpy as np
import pytest

from distilpose_keras.data.coco import load_people
from distilpose_keras.data.truth import truth_document
from distilpose_keras.keypoints import COCO_17
from distilpose_keras.scorers import pycocotools_figures
from distilpose_keras.scoring import read_ground_truth, score_coco

from .conftest import annotation, coco_document


@pytest.fixture
def people(tmp_path):
    """Two people whose coordinates float32 cannot hold."""
    entries = []
    for number in (1, 2):
        points = [(k + 0.1 * number, 20.3 + k / 7, 2) for k in range(17)]
        flat = [value for point in points for value in point]
        entries.append(annotation(number, area=123.4567890123, keypoints=flat))
    path = tmp_path / "people.json"
    path.write_text(json.dumps(coco_document(entries)))
    return load_people(path, tmp_path)


def test_numbers_are_the_files_own(people):
    document, complete = truth_document(people)
    assert complete
    entries = json.loads(people.annotation_file.read_text())["annotations"]
    for found, expected in zip(document["annotations"], entries, strict=True):
        for name in ("keypoints", "bbox", "area"):
            np.testing.assert_array_equal(found[name], expected[name])
    assert people.keypoints.dtype == np.float32  # which is what crops need


def test_a_match_at_a_threshold_is_pycocotools_match(people):
    """Rounded truth moves the similarity across a threshold, and AP with it."""
    document = json.loads(people.annotation_file.read_text())
    document["annotations"] = document["annotations"][:1]
    people.annotation_file.write_text(json.dumps(document))
    people = load_people(people.annotation_file, people.image_dir)
    true = np.array(document["annotations"][0]["keypoints"]).reshape(17, 3)[:, :2]
    sigmas = np.asarray(COCO_17.sigmas)
    area = document["annotations"][0]["area"] + np.spacing(1)
    rounded = true.astype(np.float32).astype(np.float64)

    def similarity(points, truth):
        squares = ((points - truth) ** 2).sum(axis=1)
        return np.exp(-squares / (2 * sigmas) ** 2 / area / 2).mean()

    def at(move, truth):
        return similarity(true + [move, 0], truth) - 0.75

    # The move to the right at which the similarity to the file's numbers is 0.75.
    low, high = 0.0, 10.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if at(middle, true) > 0 else (low, middle)
    gap = at(low, rounded)  # what rounding adds there
    assert abs(gap) > 1e-9
    step = 1e-9 if gap < 0 else -1e-9
    points = true + [low - step, 0]
    assert (similarity(points, true) > 0.75) != (similarity(points, rounded) > 0.75)
    ours = score_coco(
        read_ground_truth(people)[0], [1], points[None], np.ones(1), sigmas
    )
    pose = {"image_id": 1, "category_id": 1, "score": 1.0}
    pose["keypoints"] = np.c_[points, np.ones(17)].ravel().tolist()
    document["annotations"][0]["num_keypoints"] = 17
    expected = pycocotools_figures(document, [pose], sigmas)
    np.testing.assert_allclose(list(ours.values()), expected, atol=1e-12)
