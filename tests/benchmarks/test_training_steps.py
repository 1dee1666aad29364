"""The measuring process of the training benchmark: what it runs, how it counts."""

import json
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from distilpose_keras.benchmarks import step_parts, training_steps
from distilpose_keras.profiling.model import profile

PARTS = ["input", "teacher forward", "student forward", "optimizer update"]


def settings(data, **changed):
    usual = {
        "student": "demo_student",
        "teacher": "demo_teacher",
        "precision": "float32",
        "jit": "auto",
        "data": data,
        "batch_size": 3,
        "workers": 1,
        "rounds": 2,
        "steps": 3,
    }
    return {**usual, **changed}


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


@pytest.mark.slow
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


@pytest.mark.slow
def test_the_counts_are_the_models_own(data):
    pair = training_steps.Pair(FixedBatch(), settings(data), "auto")
    student, teacher = profile("demo_student").gmacs, profile("demo_teacher").gmacs
    assert pair.gmacs["step in fit"] == pytest.approx(3 * student + teacher)
    assert pair.gmacs["losses, backward"] == pytest.approx(2 * student)


def test_models_that_do_not_fit_together_are_one_line(data, capsys):
    wrong = settings(data, teacher="simple_baseline_resnet50")
    training_steps.main(json.dumps(wrong))
    message = json.loads(capsys.readouterr().out)
    assert "must have the same input size" in message


def test_the_clock_takes_all_steps_but_the_first(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(
        training_steps, "_clocks", lambda: np.array([now[0], 2 * now[0]])
    )
    clock = training_steps.StepClock()
    for batch, seconds in enumerate([50.0, 1.0, 2.0]):  # the first compiles
        now[0] += seconds
        clock.on_train_batch_end(batch, {"loss": 0.5})
    now[0] += 4.0  # the device finishes
    clock.on_epoch_end(0, {"loss": 0.5})
    assert clock.seconds.tolist() == [7.0, 14.0]


def test_xla_is_compared_part_by_part_and_round_by_round():
    def pair(step, product):
        seconds = {"step in fit": step, "input": [1, 1, 1], "matrix product": product}
        rounds = [
            {part: values[n] for part, values in seconds.items()} for n in range(3)
        ]

        def taken(part):  # by the clock, and by the processor's time
            return np.array([seconds[part], np.square(seconds[part])])

        return SimpleNamespace(seconds=rounds, taken=taken)

    without, compiled = pair([2.0, 4.0, 8.0], [1, 1, 1]), pair([1.0, 3.0, 2.0], [9] * 3)
    # Ratios of a half, three quarters and a quarter.
    assert training_steps._compared(without, compiled) == [
        {"part": "step in fit", "xla_to_none": 0.5, "core_xla_to_none": 0.25}
    ]
