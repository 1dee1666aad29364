"""A recipe that is killed in each of its stages ends as one that was left alone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from distilpose_keras.models.model import load_model


@pytest.mark.slow
def test_a_recipe_killed_in_every_stage_ends_with_the_same_weights(root, tmp_path):
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("kill_recipe.py"), tmp_path],
        env={**os.environ, "PYTHONPATH": str(root), "KERAS_BACKEND": "tensorflow"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    finished = json.loads(done.stdout.splitlines()[-1])
    models = ["data", "teacher.keras", "student.keras"]
    assert finished == {
        "rendering": [],
        "teacher": models[:1],
        "student": models[:2],
        "export": models,
    }
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for name in ("teacher.keras", "student.keras"):
        weights = [load_model(out / name).get_weights() for out in (whole, killed)]
        for one, other in zip(*weights, strict=True):
            np.testing.assert_array_equal(one, other)
    rows = [
        json.loads((out / "metrics.json").read_text())["rows"]
        for out in (whole, killed)
    ]
    assert [row["file"] for row in rows[0]] == [row["file"] for row in rows[1]]
    assert [row["AP"] for row in rows[0]] == [row["AP"] for row in rows[1]]
    assert len(json.loads((killed / "run.json").read_text())["starts"]) == 5
    assert not list(killed.rglob(".*"))  # nothing half-written is left
