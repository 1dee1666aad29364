"""A measuring process finds the package that started it."""

import os
from pathlib import Path

import distilpose_keras
from distilpose_keras.benchmarks.processes import environment


def test_the_package_comes_first_and_the_callers_path_stays(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "theirs")
    found = environment(KERAS_BACKEND="jax")
    root = Path(distilpose_keras.__file__).resolve().parents[1]
    assert found["PYTHONPATH"].split(os.pathsep) == [str(root), "theirs"]
    assert found["KERAS_BACKEND"] == "jax" and found["PATH"] == os.environ["PATH"]
