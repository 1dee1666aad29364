"""A pair fitted to a few people: it learns them, and its files are scored on them."""

import json
from pathlib import Path

import numpy as np
import pytest

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


@pytest.fixture(scope="module")
def recipe(script):
    return script("recipes/fit_few_people.py")


@pytest.mark.slow
def test_a_small_pair_learns_sixteen_people(recipe, data, tmp_path):
    steps = ["--teacher-steps", "600", "--student-steps", "300", "--people", "16"]
    args = ["--data", str(data), "--out", str(tmp_path), "--learning-rate", "3e-3"]
    recipe.main([*args, *steps, *DEMO])
    rows = json.loads((tmp_path / "metrics.json").read_text())
    assert [Path(row["file"]).name for row in rows] == ["student.keras", *FILES]
    assert all(row["AP"] > 0.3 for row in rows)
    assert all(row["instances"] == 16 for row in rows)
    student = load_model(tmp_path / "student.keras")
    assert student.metadata["ap"] == rows[0]["AP"]
    assert load_model(tmp_path / "teacher.keras").metadata["ap"] > 0.3
    with pytest.raises(ValueError, match="--overwrite"):
        recipe.main([*args, *steps, *DEMO])


def test_the_people_with_most_labels_are_taken_large_ones_first(recipe, data):
    people = load_people(*coco_paths(data, "train"))
    people.visibility[:] = 0
    people.visibility[2, :9] = 2
    people.visibility[5, :3] = 1
    people.visibility[[1, 4], :2] = 1
    people.areas[[1, 4]] = 10, 20
    chosen = recipe.most_labelled(people, 3)
    kept = people.annotation_ids[[2, 4, 5]]
    np.testing.assert_array_equal(chosen.annotation_ids, kept)


def test_a_student_starts_from_what_it_shares_with_its_teacher(recipe):
    """Same names and shapes: all but the student's two output maps and wider stem."""
    student, teacher = build_model("demo_student"), build_model("demo_teacher")
    values = {}
    for number, weight in enumerate(teacher.weights, start=2):  # 0 and 1 are defaults
        weight.assign(np.full(weight.shape, number))
        values[weight.path.replace("tokenpose", "tokenhead")] = number
    recipe.start_from(student, teacher)
    own = {
        weight.path
        for weight in student.weights
        if not (np.array(weight) == values.get(weight.path)).all()
    }
    assert own == OWN


@pytest.mark.parametrize(
    "argument, message",
    [
        (["--people", "0"], "--people must be above 0. Received: 0"),
        (["--people", "4"], "at least 16 people. Received: 4 in"),
        (["--people", "16", "--teacher-model", "demo_teacher"], "same input size"),
        (["--learning-rate", "-1"], "--learning-rate must be above 0"),
        (["--data", "nowhere"], "nowhere"),
    ],
)
def test_mistakes_are_one_line(recipe, data, tmp_path, argument, message):
    with pytest.raises(ValueError, match=message):
        recipe.main(["--data", str(data), "--out", str(tmp_path), *argument])
