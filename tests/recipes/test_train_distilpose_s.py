"""The main command, from people to a report."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from distilpose_keras.models.model import load_model
from distilpose_keras.synthetic import render_dataset

SCRIPT = "recipes/train_distilpose_s.py"
RESULTS = {
    "teacher.keras",
    "baseline.keras",
    "student.keras",
    "student.onnx",
    "student_int8.onnx",
    "student_float32.tflite",
    "student_float16.tflite",
    "student_int8.tflite",
    "student_int8-full.tflite",
    "metrics.json",
    "report.html",
    "run.json",
}


def run(root, *arguments):
    return subprocess.run(
        [sys.executable, SCRIPT, *map(str, arguments)],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root), "KERAS_BACKEND": "tensorflow"},
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    folder = tmp_path_factory.mktemp("people") / "data"
    return render_dataset(folder, train_images=40, val_images=12, workers=1)


@pytest.fixture(scope="module")
def finished(root, people, tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "out"
    arguments = ["--data", people, "--preset", "demo", "--epochs", 1, "--out", out]
    done = run(root, *arguments)
    assert done.returncode == 0, done.stderr
    return out, arguments, done


@pytest.mark.slow
def test_one_command_leaves_models_files_figures_and_a_report(finished):
    out, _, done = finished
    assert {path.name for path in out.iterdir()} >= RESULTS
    metrics = json.loads((out / "metrics.json").read_text())
    files = [row["file"] for row in metrics["rows"]]
    assert files[:3] == ["teacher.keras", "baseline.keras", "student.keras"]
    assert len(files) == 9
    for row in metrics["rows"]:
        assert row["params"] > 0
        assert row["bytes"] == (out / row["file"]).stat().st_size
        assert 0 <= row["AP"] <= row["AP50"] <= 1
        assert row["file"] in done.stdout
    assert {"regression", "simulated_heatmap"} < metrics["histories"]["student"].keys()
    assert set(metrics["histories"]["baseline"]) >= {"loss", "regression", "val_AP"}
    report = (out / "report.html").read_text()
    assert report.count("<img") >= 4
    assert "http" not in report.replace("http-equiv", "")  # self-contained


@pytest.mark.slow
def test_the_models_say_what_they_were_trained_on(finished):
    model = load_model(finished[0] / "student.keras")
    assert model.metadata["training_data"] == "person_keypoints_train2017.json"
    assert 0 <= model.metadata["ap"] <= 1


@pytest.mark.slow
def test_a_folder_in_use_is_not_overwritten(finished, root):
    out, arguments, _ = finished
    before = (out / "metrics.json").stat().st_mtime_ns
    done = run(root, *arguments)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "--resume" in done.stderr
    assert "--overwrite" in done.stderr
    assert (out / "metrics.json").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "nowhere"], "nowhere"),
        (["--epochs", "0"], "at least 1"),
        (["--teacher", "nowhere.keras"], "no such model file: nowhere.keras"),
        (["--precision", "int4"], "invalid choice"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_no_folder(root, tmp_path, arguments, message):
    done = run(root, *arguments, "--out", tmp_path / "out")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert message in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_truncated_image_stops_the_training_and_is_named(root, people, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(people, data)
    image = sorted((data / "train2017").iterdir())[3]
    image.write_bytes(image.read_bytes()[:3000])
    done = run(root, "--data", data, "--preset", "demo", "--out", tmp_path / "out")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert f"image is truncated: {image}" in done.stderr
