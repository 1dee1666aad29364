"""The evaluation benchmark measures what it says."""

import json

import numpy as np
import pytest

from distilpose_keras.benchmarks import evaluation, plain_scoring
from distilpose_keras.data.coco import coco_paths, load_people
from distilpose_keras.synthetic import render_dataset
from tests.benchmarks.arguments import of


def arguments(*argv):
    return of("evaluation", *argv)


@pytest.mark.slow
def test_each_step_is_counted_and_timed(tmp_path):
    render_dataset(tmp_path / "d", train_images=1, val_images=6, workers=1)
    people = load_people(*coco_paths(tmp_path / "d", "val"))
    rows = evaluation.run(
        arguments("--data", tmp_path / "d", "--rounds", 1, "--scored-images", 20)
    )
    crops, scoring = rows[:3], rows[3:]
    for row in crops:
        assert row["count"] == len(people)
        assert (
            row["per_second"]
            == pytest.approx(row["count"] / row["seconds"], rel=0.2, abs=1)
            or row["seconds"] < 0.01
        )
    assert crops[0]["ratio"] + crops[1]["ratio"] == pytest.approx(1, abs=0.02)
    assert len(scoring) == 5
    json.dumps(rows)


def test_scoring_is_compared_step_by_step(tmp_path):
    rows = evaluation.measure_scoring(tmp_path, images=100, rounds=1)
    assert {row["poses"] for row in rows} == {1900}
    *steps, total = rows
    for column in ("plain_seconds", "seconds"):
        parts = sum(row[column] for row in steps)
        assert total[column] == pytest.approx(parts, abs=0.003)
    assert total["faster"] == pytest.approx(
        total["plain_seconds"] / total["seconds"], rel=0.1
    )


def test_figures_that_differ_stop_the_benchmark(tmp_path, monkeypatch):
    figures = plain_scoring.score_coco

    def other(*args):
        return figures(*args) + np.eye(1, 10, 3)[0] * 1.5e-8

    monkeypatch.setattr(plain_scoring, "score_coco", other)
    with pytest.raises(RuntimeError, match="differ from pycocotools' by 1.*e-08"):
        evaluation.measure_scoring(tmp_path, images=20, rounds=1)


def test_survivors_that_differ_stop_the_benchmark(tmp_path, monkeypatch):
    monkeypatch.setattr(plain_scoring, "select_poses", lambda ids, *_, **__: [0, 1])
    with pytest.raises(RuntimeError, match="keep different poses"):
        evaluation.measure_scoring(tmp_path, images=20, rounds=1)
