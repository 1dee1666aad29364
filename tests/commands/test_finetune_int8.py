"""Fine-tuning for integers in one command: its files, figures and mistakes."""

import argparse
import json
import os

import pytest

from distilpose_keras.commands import finetune_int8
from distilpose_keras.data.dataset import PoseDataset
from distilpose_keras.formats.metadata import read_metadata
from distilpose_keras.models.model import build_model, load_model
from distilpose_keras.synthetic import render_dataset

FILES = [
    "post_training_int8-full.tflite",
    "fine_tuned_int8-full.tflite",
    "fine_tuned_float32.tflite",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A student, a teacher and a few people."""
    folder = tmp_path_factory.mktemp("finetune")
    render_dataset(folder / "data", train_images=20, val_images=4, workers=1)
    build_model("demo_student").save(folder / "student.keras")
    build_model("demo_teacher").save(folder / "teacher.keras")
    return folder


@pytest.fixture(scope="module")
def convolutional(folder):
    """A student without confidence and a teacher, beside the others."""
    for name, file in (
        ("deeppose_resnet50", "plain"),
        ("simple_baseline_resnet50", "cnn_teacher"),
    ):
        build_model(name, input_size=(64, 64)).save(folder / f"{file}.keras")


@pytest.fixture
def arguments(folder, tmp_path):
    """Make a command line of files in the folder."""

    def make(student="student", teacher="teacher", *more):
        return [
            *(str(folder / f"{student}.keras"), "--data", str(folder / "data")),
            *("--teacher", str(folder / f"{teacher}.keras")),
            *("--out", str(tmp_path / "out"), "--epochs", "1", "--workers", "1"),
            *more,
        ]

    return make


@pytest.fixture
def finetune(command, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    return command("finetune-int8")


@pytest.mark.slow
def test_one_command_leaves_files_and_their_figures(finetune, arguments, tmp_path):
    assert finetune(*arguments("student", "teacher", "--preset", "demo")) == 0
    out = tmp_path / "out"
    rows = json.loads((out / "metrics.json").read_text())
    assert [os.path.basename(row["file"]) for row in rows] == ["student.keras", *FILES]
    keys = "AP ap_drop max_keypoint_error_px mean_keypoint_error_px bytes latency_ms"
    for row in rows:
        assert set(keys.split()) <= row.keys()
    for name, row in zip(FILES, rows[1:], strict=True):
        document = read_metadata(out / name)
        assert document["precision"] == row["precision"]
    assert rows[1]["bytes"] < 0.5 * rows[3]["bytes"]


def test_without_augmentation_crops_are_as_their_boxes_say(
    arguments, folder, monkeypatch
):
    trained_on = []

    def record(student, teacher, batches, **_):
        trained_on.extend(image for images, _ in batches for image in images)

    monkeypatch.setattr("distilpose_keras.quantization.finetune.finetune", record)
    parser = argparse.ArgumentParser()
    finetune_int8.add_arguments(parser)
    parsed = parser.parse_args(arguments("student", "teacher", "--preset", "none"))
    student = load_model(folder / "student.keras")
    people, _ = finetune_int8.load_splits(parsed, student.pose_config.schema)
    finetune_int8.train(student, None, people, parsed)
    with PoseDataset(
        people,
        batch_size=len(people),
        input_size=student.pose_config.input_size,
        augmentation=None,
        image_dtype="uint8",
    ) as plain:
        expected = plain[0][0]
    assert sorted(map(bytes, trained_on)) == sorted(map(bytes, expected))


@pytest.mark.slow
@pytest.mark.parametrize(
    "student, teacher, more, message",
    [
        ("student", "student", [], "must predict 'heatmaps'"),
        ("teacher", "teacher", [], "regresses keypoints without decoding"),
        ("plain", "cnn_teacher", [], "a student that predicts confidence"),
        ("student", "gone", [], "gone.keras"),
        ("student", "teacher", ["--epochs", "0"], "--epochs: must be at least 1"),
        ("student", "teacher", ["--limit", "3"], "at least 16 people"),
    ],
)
def test_a_mistake_is_told_before_anything_is_trained(
    student,
    teacher,
    more,
    message,
    finetune,
    arguments,
    convolutional,
    tmp_path,
    mistake,
):
    assert finetune(*arguments(student, teacher, *more)) == 2
    assert message in mistake()
    assert not (tmp_path / "out").exists()


def test_a_finished_run_is_not_overwritten(finetune, arguments, tmp_path, mistake):
    out = tmp_path / "out"
    out.mkdir()
    (out / "metrics.json").write_text("[]")
    assert finetune(*arguments()) == 2
    assert "--overwrite replaces it" in mistake()
