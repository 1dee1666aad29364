"""Killed trainings end with the same bits as one that was left alone."""

import keras
import numpy as np
import processes
import pytest

# Each attempt compiles again on JAX.
KILLS = 4 if keras.backend.backend() == "jax" else 20


@pytest.mark.slow
@pytest.mark.backend
def test_a_training_killed_twenty_times_ends_with_the_same_bits(tmp_path):
    backend = keras.backend.backend()
    script = "kill_and_resume.py"
    positions = processes.run(script, tmp_path, KILLS, 0, backend=backend)["positions"]
    assert len(positions) == KILLS
    assert positions == sorted(positions)
    assert any(step % 6 for step in positions), "no kill within an epoch"
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert (whole / "log.csv").read_text() == (killed / "log.csv").read_text()
    with np.load(whole / "final.npz") as a, np.load(killed / "final.npz") as b:
        assert set(a) == set(b)
        for name in a:
            np.testing.assert_array_equal(a[name], b[name])
