"""What a run builds and in which order, with its trainings left out."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from distilpose_keras.keypoints import COCO_17
from distilpose_keras.models.model import build_model, load_model
from distilpose_keras.recipe import run
from distilpose_keras.recipe.options import RunOptions
from distilpose_keras.recipe.settings import demo_recipe
from distilpose_keras.training.processes import Processes
from tests.models.small import small

SPLITS = (SimpleNamespace(schema=COCO_17),) * 2


@pytest.fixture
def trained(monkeypatch):
    """Trainers by name, in the order they would be trained; each ends at once."""
    found = {}

    def train_model(trainer, path, splits, training, settings, options, processes):
        start = [np.array(weight) for weight in trainer.model.weights]
        found[path.stem] = trainer, training, start
        bias = trainer.model.trainable_variables[-1]
        bias.assign(bias + 1.0)
        trainer.model.save(path)
        return [path.stem], {f"{path.stem}.jpg"}

    monkeypatch.setattr(run, "train_model", train_model)
    return found


def train(out, settings=None, **options):
    settings = settings or demo_recipe()
    options = RunOptions(out, workers=1, **options)
    return run._train_models(settings, options, SPLITS, Processes("single"))


def assert_equal(weights, others):
    for one, other in zip(weights, others, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_student_learns_from_the_saved_teacher_and_the_baseline_alone(
    trained, tmp_path
):
    settings = replace(demo_recipe(), loss_weights={"score": 0.25})
    histories, skipped = train(tmp_path, settings)
    assert list(trained) == list(histories) == ["teacher", "baseline", "student"]
    assert histories["baseline"] == ["baseline"]
    assert skipped == {"teacher.jpg", "baseline.jpg", "student.jpg"}
    baseline, _, first = trained["baseline"]
    student, training, second = trained["student"]
    assert_equal(first, second)  # what differs is the teacher alone
    assert baseline.teacher is None
    saved = load_model(tmp_path / "teacher.keras")
    assert_equal(student.teacher.get_weights(), saved.get_weights())
    assert training == settings.student_training
    assert student.get_config()["loss_weights"]["score"] == 0.25


def test_the_seed_decides_where_a_student_starts(tmp_path):
    first, same, other = (
        run._new_student(demo_recipe(), RunOptions(tmp_path, seed=seed), COCO_17)
        for seed in (0, 0, 1)
    )
    assert_equal(first.get_weights(), same.get_weights())
    pairs = zip(first.get_weights(), other.get_weights(), strict=True)
    assert any((a != b).any() for a, b in pairs)


def test_a_given_teacher_is_copied_and_not_trained(trained, tmp_path):
    given = tmp_path / "given.keras"
    teacher = build_model("demo_teacher")
    teacher.save(given)
    out = tmp_path / "out"
    out.mkdir()
    train(out, replace(demo_recipe(), baseline=False), teacher=given)
    assert list(trained) == ["student"]
    assert (out / "teacher.keras").read_bytes() == given.read_bytes()
    assert_equal(trained["student"][0].teacher.get_weights(), teacher.get_weights())


def test_a_recipe_without_a_student_trains_the_teacher_alone(trained, tmp_path):
    settings = replace(demo_recipe(), student=None)
    histories, _ = train(tmp_path, settings)
    assert list(histories) == ["teacher"]
    assert run._names(settings) == ["teacher"]


def test_a_teacher_that_is_none_is_refused_before_the_folder_is_touched(
    tmp_path, monkeypatch
):
    def open_run(*_, **__):
        raise AssertionError("the folder is touched")

    monkeypatch.setattr(run, "open_run", open_run)
    path, out = tmp_path / "student.keras", tmp_path / "out"
    small().save(path)
    with pytest.raises(ValueError, match="student.keras: expected a teacher"):
        run.run_recipe(demo_recipe(), RunOptions(out, teacher=path))
    assert not out.exists()


def test_a_teacher_of_other_crops_is_refused_before_the_folder_is_touched(
    tmp_path, monkeypatch
):
    def open_run(*_, **__):
        raise AssertionError("the folder is touched")

    monkeypatch.setattr(run, "open_run", open_run)
    path, out = tmp_path / "teacher.keras", tmp_path / "out"
    small("tokenpose", input_size=(32, 24)).save(path)
    with pytest.raises(ValueError, match="crops of 32x24, demo_student of 64x48"):
        run.run_recipe(demo_recipe(), RunOptions(out, teacher=path))
    assert not out.exists()


def test_photographs_that_cannot_be_read_are_refused_before_the_folder_is_touched(
    tmp_path,
):
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    (photos / "1.jpg").write_bytes(b"no picture")
    with pytest.raises(ValueError, match="no picture in .*photos can be read"):
        run.run_recipe(demo_recipe(), RunOptions(out, photos=photos))
    assert not out.exists()


def test_a_row_has_the_size_of_its_file_and_the_parameters_of_its_model(
    tmp_path, monkeypatch
):
    names = ("teacher.keras", "student.keras", "student_int8-full.tflite")
    for size, name in enumerate(names, start=1):
        (tmp_path / name).write_bytes(bytes(1000 * size))
    counts = {"teacher.keras": 7, "student.keras": 5}
    monkeypatch.setattr(
        run,
        "profile",
        lambda path: SimpleNamespace(trainable_params=counts[path.name]),
    )
    predictor = SimpleNamespace(runtime="keras")
    monkeypatch.setattr(run, "PosePredictor", lambda model: predictor)
    monkeypatch.setattr(run, "evaluate", lambda *_, **__: {"AP": 0.9})

    def verify(reference, files, people, progress):
        return [{"file": str(file), "AP": 0.8} for file in (reference, *files)]

    monkeypatch.setattr(run, "verify", verify)
    models = {"teacher": None, "student": None}
    rows = run._score(models, [tmp_path / names[2]], None, tmp_path)
    assert [row["file"] for row in rows] == list(names)
    assert [row["model"] for row in rows] == ["teacher", "student", "student"]
    assert [row["params"] for row in rows] == [7, 5, 5]
    assert [row["bytes"] for row in rows] == [1000, 2000, 3000]
    assert [row["AP"] for row in rows] == [0.9, 0.8, 0.8]
