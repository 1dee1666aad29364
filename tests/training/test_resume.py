"""Killed trainings end with the same bits as one that was left alone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

SCRIPT = Path(__file__).with_name("kill_and_resume.py")
# Each attempt compiles again on JAX.
KILLS = 4 if keras.backend.backend() == "jax" else 20


def run_script(root, script, *arguments, backend=None):
    """Run a script of this folder and return what it prints last, read as JSON."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(root), str(SCRIPT.parent)]),
        "KERAS_BACKEND": backend or keras.backend.backend(),
    }
    result = subprocess.run(
        [sys.executable, script, *map(str, arguments)],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    return json.loads(result.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.backend
def test_a_training_killed_twenty_times_ends_with_the_same_bits(root, tmp_path):
    positions = run_script(root, SCRIPT, tmp_path, KILLS, 0)["positions"]
    assert len(positions) == KILLS
    assert positions == sorted(positions)
    assert any(step % 6 for step in positions), "no kill within an epoch"
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert (whole / "log.csv").read_text() == (killed / "log.csv").read_text()
    with np.load(whole / "final.npz") as a, np.load(killed / "final.npz") as b:
        assert set(a) == set(b)
        for name in a:
            np.testing.assert_array_equal(a[name], b[name])
