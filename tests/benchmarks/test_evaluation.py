"""The evaluation benchmark measures what it says."""

import json

import pytest

from distilpose_keras.benchmarks import evaluation
from distilpose_keras.data.coco import coco_paths, load_people
from distilpose_keras.synthetic import render_dataset
from tests.benchmarks.arguments import of


def arguments(*argv):
    return of("evaluation", *argv)


@pytest.mark.slow
def test_each_step_is_counted_and_timed(tmp_path):
    render_dataset(tmp_path / "d", train_images=1, val_images=6, workers=1)
    people = load_people(*coco_paths(tmp_path / "d", "val"))
    rows = evaluation.run(arguments("--data", tmp_path / "d", "--rounds", 1))
    counts = [row["count"] for row in rows]
    n = len(people)
    assert counts[:4] == [n, n, n, n * evaluation.POSES_PER_PERSON]
    assert 0 < counts[4] <= counts[3]
    for row in rows:
        assert (
            row["per_second"]
            == pytest.approx(row["count"] / row["seconds"], rel=0.2, abs=1)
            or row["seconds"] < 0.01
        )
    assert rows[0]["ratio"] + rows[1]["ratio"] == pytest.approx(1, abs=0.02)
    json.dumps(rows)
