"""The training benchmark: its rows, what it runs, its mistakes."""

import argparse
import json
import subprocess
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from distilpose_keras.benchmarks import training, training_steps
from distilpose_keras.data.synthetic import render_dataset
from distilpose_keras.profiling import profile
from distilpose_keras.training import step_parts

PARTS = ["input", "teacher forward", "student forward", "optimizer update"]


def arguments(*argv):
    parser = argparse.ArgumentParser()
    training.add_arguments(parser)
    return parser.parse_args(argv)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("people") / "data"
    return str(render_dataset(folder, train_images=4, val_images=1, workers=1))


def settings(data, **changed):
    usual = training._settings(arguments("--batch-size", "3", "--data", data))
    return {**usual, "rounds": 2, "steps": 3, **changed}


@pytest.mark.slow
@pytest.mark.backend
def test_the_step_and_every_part_run_as_often(data, monkeypatch):
    calls = {}

    def counted(distiller, batch):
        def count(name, function):
            def call():
                calls[name] = calls.get(name, 0) + 1
                return function()

            return call

        functions = step_parts.step_parts(distiller, batch)
        calls["batch"] = len(batch[0])
        return {name: count(name, each) for name, each in functions.items()}

    monkeypatch.setattr(training_steps, "step_parts", counted)
    monkeypatch.setattr(training_steps, "MATRIX_SIZES", {"cpu": 256, "gpu": 256})
    (machine,), rows, compared = training_steps.measure(settings(data))
    assert calls.pop("batch") == 3
    # Three rounds of three steps, of which the first round warms up.
    assert calls == dict.fromkeys(calls, 9)
    assert len(calls) == 4
    assert machine["backend"] == keras.backend.backend()
    assert machine["gflops"] > 0
    names = [row["part"] for row in rows]
    assert names == ["step in fit", "sum of parts", *PARTS, "losses, backward"]
    assert rows[1]["ratio"] == rows[1]["core_ratio"] == 1
    assert all(row["ms"] > 0 for row in rows[:-1])
    assert not compared
    json.dumps(rows)


def test_a_student_alone_has_no_teacher_to_time(data):
    _, rows, _ = training_steps.measure(settings(data, teacher=None, rounds=1))
    assert "teacher forward" not in [row["part"] for row in rows]


class FixedBatch(keras.utils.PyDataset):
    """One batch of noise."""

    def __len__(self):
        return 1

    def __getitem__(self, index):
        rng = np.random.default_rng(0)
        images = rng.integers(0, 256, (2, 64, 48, 3)).astype("uint8")
        keypoints = rng.random((2, 17, 2)).astype("float32")
        return images, {
            "keypoints": keypoints,
            "weights": np.ones((2, 17, 1), "float32"),
        }


def test_rows_are_medians_of_ratios_within_a_round():
    rounds = [  # of the step, the sum, one part and the matrix product
        {"step in fit": 0.3, "sum of parts": 0.2, "student forward": 0.1},
        {"step in fit": 0.6, "sum of parts": 0.5, "student forward": 0.4},
        {"step in fit": 0.9, "sum of parts": 0.9, "student forward": 0.2},
    ]
    for seconds in rounds:
        seconds["matrix product"] = 0.01

    def taken(part):
        # Twice as long by the processor's clock, for the step alone.
        factor = 2 if part == "step in fit" else 1
        values = np.array([seconds[part] for seconds in rounds])
        return np.array([values, factor * values])

    pair = SimpleNamespace(
        seconds=rounds, taken=taken, xla="on", gmacs={"student forward": 0.5}
    )
    step, total, part = training_steps._rows(pair, images=6, operations=1e9)
    assert step["ms"] == 600
    assert step["core_ms"] == 1200
    assert step["images_per_s"] == 10
    assert step["ratio"] == 1.2  # of 1.5, 1.2 and 1
    assert step["core_ratio"] == 2.4
    assert total["ratio"] == 1
    # 0.5 GMACs of 6 images are 6e9 operations: 30e9 in a second at the median 0.2,
    # where the product makes 100e9.
    assert part["matrix_share"] == 0.3
    assert step["matrix_share"] == 0


def test_the_counts_are_the_models_own(data):
    pair = training_steps.Pair(FixedBatch(), settings(data), "auto")
    student, teacher = profile("demo_student").gmacs, profile("demo_teacher").gmacs
    assert pair.gmacs["step in fit"] == pytest.approx(3 * student + teacher)
    assert pair.gmacs["losses, backward"] == pytest.approx(2 * student)


def test_models_that_do_not_fit_together_are_one_line(data, capsys):
    wrong = settings(data, teacher="simple_baseline_resnet50")
    training_steps.main(json.dumps(wrong))
    message = json.loads(capsys.readouterr().out)
    assert "the teacher 'simple_baseline_resnet50' must predict" in message


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
        (["--batch-size", "0"], "--batch-size must be at least 1. Received: 0"),
        (["--steps", "-1"], "--steps must be at least 1. Received: -1"),
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
