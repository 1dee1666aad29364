from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from distilpose_keras.data.coco import coco_paths, load_people
from distilpose_keras.export.reproduce import ExportError
from distilpose_keras.models.model import build_model
from distilpose_keras.recipe import stages
from distilpose_keras.recipe.options import RunOptions
from distilpose_keras.recipe.settings import demo_recipe
from distilpose_keras.recipe.stages import load_splits, without_images
from distilpose_keras.synthetic import render_dataset
from distilpose_keras.training.processes import Processes
from distilpose_keras.training.trainer import PoseTrainer


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("people") / "data"
    return render_dataset(out, train_images=4, val_images=3, workers=1)


def test_people_of_unreadable_images_are_left_out(folder):
    people = load_people(*coco_paths(folder, "train"))
    bad = str(people[0].image_path)
    rest = without_images(people, {bad})
    assert {str(p.image_path) for p in rest} == {str(p.image_path) for p in people} - {
        bad
    }
    assert len(without_images(people, set())) == len(people)


def test_images_that_another_process_skipped_are_left_out_too(folder):
    people, _ = load_splits(folder)
    files = [str(people.image_path(n)) for n in range(3)]
    batches = SimpleNamespace(people=people, bad_images={files[0]: "cut"})

    def anywhere(flags):
        flags = np.array(flags)
        assert flags.tolist() == [True] + [False] * (len(people.image_files) - 1)
        flags[2] = True
        return flags

    found = stages._bad_images(batches, SimpleNamespace(anywhere=anywhere))
    assert found == {files[0], files[2]}


def test_limit_takes_people_from_both_splits(folder):
    assert [len(people) for people in load_splits(folder, limit=2)] == [2, 2]


def test_a_file_that_fails_its_check_does_not_cost_the_others(
    tmp_path, monkeypatch, capsys
):
    def fails(student, path, **kwargs):
        raise ExportError("keypoints differ")

    def works(student, path, **kwargs):
        path.write_text(kwargs["precision"])

    monkeypatch.setattr(stages, "calibration_crops", lambda *_: np.zeros(0))
    files = {"a.onnx": (works, "float32"), "b.tflite": (fails, "int8")}
    monkeypatch.setattr(stages, "FILES", {**files, "c.tflite": (works, "float16")})
    written = stages.export_files(None, None, tmp_path)
    assert written == [tmp_path / "a.onnx", tmp_path / "c.tflite"]
    assert [path.read_text() for path in written] == ["float32", "float16"]
    assert capsys.readouterr().err == "b.tflite was not written: keypoints differ\n"


@pytest.mark.parametrize("asked", [False, True])
def test_appearance_changes_the_images_that_are_trained_on(
    folder, tmp_path, monkeypatch, asked
):
    """With every image made black; without, as it was."""
    brightest = []

    def train(trainer, batches, **_):
        brightest.append(max(images.max() for images, _ in batches))
        return {"val_AP": [0.0]}

    monkeypatch.setattr(stages, "train", train)
    black = lambda images, seed: np.zeros_like(images)  # noqa: E731
    monkeypatch.setattr(stages, "AppearanceAugmentation", lambda: black)
    settings = replace(demo_recipe(), appearance=asked)
    stages.train_model(
        PoseTrainer(build_model(settings.teacher)),
        tmp_path / "teacher.keras",
        load_splits(folder),
        settings.teacher_training,
        settings,
        RunOptions(tmp_path, workers=1),
        Processes("single"),
    )
    assert (brightest == [0]) == asked
