"""The training benchmark: its backends and its mistakes."""

import subprocess
from types import SimpleNamespace

import pytest

from distilpose_keras.benchmarks import training
from tests.benchmarks.arguments import of


def arguments(*argv):
    return of("training", *argv)


def test_what_the_process_cannot_measure_is_an_error_here(data, monkeypatch):
    done = SimpleNamespace(stdout=b'noise\n"they do not fit"\n')
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
    with pytest.raises(ValueError, match="^they do not fit$"):
        training.run(arguments("--backends", "tensorflow", "--data", data))


def test_a_missing_backend_is_left_out(data, monkeypatch, capsys):
    find = {"tensorflow": None, "jax": "there", "torch": None}.get
    monkeypatch.setattr(training.importlib.util, "find_spec", find)
    measured = []

    def measure(backend, _):
        measured.append(backend)
        return [[{"backend": backend}], [], []]

    monkeypatch.setattr(training, "_in_process", measure)
    rows = training.run(arguments("--data", data))
    assert rows == [{"backend": "jax"}]
    assert measured == ["jax"]
    assert capsys.readouterr().err.splitlines() == [
        "tensorflow is not installed: left out",
        "torch is not installed: left out",
    ]
    with pytest.raises(ValueError, match="none is installed of torch"):
        training.run(arguments("--backends", "torch"))


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--model", "yolo"], "unknown model 'yolo'"),
        (["--model", "none"], "unknown model 'none'"),
        (["--teacher", "yolo"], "unknown model 'yolo'"),
        (["--batch-size", "0"], "--batch-size: must be at least 1. Received: 0"),
        (["--steps", "-1"], "--steps: must be at least 1. Received: -1"),
    ],
)
def test_a_mistake_is_told_before_anything_is_measured(argv, message):
    with pytest.raises(ValueError, match=message):
        training.run(arguments(*argv))


@pytest.mark.slow
def test_a_backend_is_measured_in_a_process_of_its_own(data):
    argv = ["--backends", "tensorflow", "--jit", "both", "--data", data]
    rows = training.run(
        arguments(*argv, "--rounds", "1", "--steps", "1", "--batch-size", "2")
    )
    parts = [row for row in rows if "xla" in row]
    assert [row["xla"] for row in parts] == ["off"] * 7 + ["on"] * 7
    assert [row["part"] for row in rows if "xla_to_none" in row][0] == "step in fit"
