"""The benchmark of the person finder, and detections that it makes."""

import json
from pathlib import Path

import numpy as np
import pytest

from distilpose_keras.commands import main
from distilpose_keras.data.detections import find_detections


def test_the_finder_that_ships_is_measured(data, tmp_path):
    file = tmp_path / "rows.json"
    with pytest.raises(SystemExit) as ended:
        main.main(["benchmark", "finder", "--data", str(data), "--json", str(file)])
    assert not ended.value.code
    (row,) = json.loads(file.read_text())
    truth = Path(data) / "annotations" / "person_keypoints_val2017.json"
    truth = json.loads(truth.read_text())
    assert row["finder"] == "person_finder.onnx"
    assert row["pictures"] == len(truth["images"])
    assert row["people"] == len(truth["annotations"])
    assert 0 <= row["recall"] <= 1
    assert row["ms"] > 0


def test_found_people_keep_their_pictures(people):
    calls = []

    def find(image):
        calls.append(image.shape)
        count = len(calls) % 3
        return np.full((count, 4), 10.0 * len(calls)), np.full(count, 0.5)

    found = find_detections(find, people)
    pictures = np.unique(people.image_index)
    assert len(calls) == len(pictures)
    expected = [p for n, p in enumerate(pictures, 1) for _ in range(n % 3)]
    assert found.image_index.tolist() == expected
    assert set(found.scores.tolist()) == {0.5}
    assert not found.visibility.any()
    with pytest.raises(ValueError, match="nobody was found"):
        find_detections(lambda _: (np.zeros((0, 4)), np.zeros(0)), people)
