"""Teachers on their own, for several students."""

import json
import os
import subprocess
import sys

import pytest

from distilpose_keras.models.model import build_model, load_model
from distilpose_keras.synthetic import render_dataset

SCRIPTS = ("train_tokenpose_stemnet.py", "train_tokenpose_hrnet_w48.py")


def run(root, script, *arguments):
    return subprocess.run(
        [sys.executable, f"recipes/{script}", *map(str, arguments)],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root), "KERAS_BACKEND": "tensorflow"},
        capture_output=True,
        text=True,
    )


@pytest.mark.slow
def test_a_teacher_alone_starts_from_a_backbone_and_is_scored(root, tmp_path):
    data = render_dataset(tmp_path / "data", train_images=8, val_images=4, workers=1)
    source = build_model("demo_teacher")
    source.save(tmp_path / "source.keras")
    out = tmp_path / "out"
    arguments = ["--data", data, "--preset", "demo", "--epochs", 1, "--out", out]
    done = run(
        root, SCRIPTS[0], *arguments, "--init-backbone-from", tmp_path / "source.keras"
    )
    assert done.returncode == 0, done.stderr
    assert "backbone from" in done.stdout
    assert load_model(out / "teacher.keras").pose_config.codec.heatmap_size
    assert {path.name for path in out.iterdir()} == {
        "teacher.keras",
        "metrics.json",
        "report.html",
        "run.json",
        "training",
    }
    (row,) = json.loads((out / "metrics.json").read_text())["rows"]
    assert row["file"] == "teacher.keras"
    assert 0 <= row["AP"] <= 1


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_teacher_has_no_teacher(root, script):
    done = run(root, script, "--teacher", "teacher.keras")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert "--teacher" in done.stderr
