"""A pair fitted to a few people: it learns them, and its files are scored on them."""

import json
from pathlib import Path

import numpy as np
import pytest

from distilpose_keras.commands import fit_few
from distilpose_keras.data.coco import coco_paths, load_people
from distilpose_keras.models.model import build_model, load_model
from distilpose_keras.recipe.stages import FILES
from distilpose_keras.synthetic import render_dataset
from distilpose_keras.synthetic.casting import UPRIGHT

# What the demonstration's student and teacher do not share.
OWN = {
    *(f"backbone-conv{i}/kernel" for i in (1, 2)),
    *(
        f"backbone-bn{i}/{name}"
        for i in (1, 2)
        for name in ("gamma", "beta", "moving_mean", "moving_variance")
    ),
    "backbone-layer1-0-conv1/kernel",
    "backbone-layer1-0-downsample-0/kernel",
    "keypoint_head-tokenhead-mlp_head-1/kernel",
    "keypoint_head-tokenhead-mlp_head-1/bias",
}
DEMO = ["--student", "demo_student", "--teacher-model", "demo_teacher"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("few") / "data"
    render_dataset(folder, train_images=16, val_images=1, casting=UPRIGHT, workers=1)
    return folder


@pytest.fixture
def fit(command):
    return command("fit-few")


@pytest.mark.slow
def test_a_small_pair_learns_sixteen_people(fit, data, tmp_path, mistake):
    steps = ["--teacher-steps", "600", "--student-steps", "300", "--people", "16"]
    args = ["--data", str(data), "--out", str(tmp_path), "--learning-rate", "3e-3"]
    assert fit(*args, *steps, *DEMO) == 0
    rows = json.loads((tmp_path / "metrics.json").read_text())
    assert [Path(row["file"]).name for row in rows] == ["student.keras", *FILES]
    assert all(row["AP"] > 0.3 for row in rows)
    assert all(row["instances"] == 16 for row in rows)
    student = load_model(tmp_path / "student.keras")
    assert student.metadata["ap"] == rows[0]["AP"]
    assert load_model(tmp_path / "teacher.keras").metadata["ap"] > 0.3
    assert fit(*args, *steps, *DEMO) == 2
    assert "--overwrite" in mistake()


def test_the_people_with_most_labels_are_taken_large_ones_first(data):
    people = load_people(*coco_paths(data, "train"))
    people.visibility[:] = 0
    people.visibility[2, :9] = 2
    people.visibility[5, :3] = 1
    people.visibility[[1, 4], :2] = 1
    people.areas[[1, 4]] = 10, 20
    chosen = fit_few.most_labelled(people, 3)
    kept = people.annotation_ids[[2, 4, 5]]
    np.testing.assert_array_equal(chosen.annotation_ids, kept)


def test_a_student_starts_from_what_it_shares_with_its_teacher():
    """Same names and shapes: all but the student's two output maps and wider stem."""
    student, teacher = build_model("demo_student"), build_model("demo_teacher")
    values = {}
    for number, weight in enumerate(teacher.weights, start=2):  # 0 and 1 are defaults
        weight.assign(np.full(weight.shape, number))
        values[weight.path.replace("tokenpose", "tokenhead")] = number
    fit_few.start_from(student, teacher)
    own = {
        weight.path
        for weight in student.weights
        if not (np.array(weight) == values.get(weight.path)).all()
    }
    assert own == OWN


@pytest.mark.parametrize(
    "argument, message",
    [
        (["--people", "0"], "--people: must be at least 1. Received: 0"),
        (["--people", "4"], "at least 16 people. Received: 4 in"),
        (["--people", "16", "--teacher-model", "demo_teacher"], "same input size"),
        (["--learning-rate", "-1"], "--learning-rate: must be above 0"),
        (["--data", "nowhere"], "nowhere"),
    ],
)
def test_mistakes_are_one_line(fit, data, tmp_path, mistake, argument, message):
    assert fit("--data", data, "--out", tmp_path, *argument) == 2
    assert message in mistake()
