"""The latency benchmark: its rows, its counts, its mistakes."""

import argparse

import numpy as np
import pytest

from distilpose_keras.benchmarks import latency, profiles
from distilpose_keras.benchmarks.macs import count_macs
from distilpose_keras.benchmarks.profiles import profile
from distilpose_keras.benchmarks.timing import interleave


def arguments(*argv):
    parser = argparse.ArgumentParser()
    latency.add_arguments(parser)
    return parser.parse_args(argv)


def demo_macs():
    """Of a deployed demo student, layer by layer."""
    stem = 32 * 24 * 9 * 3 * 16 + 16 * 12 * 9 * 16 * 16
    block = 16 * 16 + 9 * 16 * 16 + 16 * 64 + 16 * 64  # with its shortcut
    d, k, n = 64, 17, 17 + 16
    patches = 16 * (4 * 3 * 64) * d

    def layer(queries):
        linear = queries * d * d + 2 * n * d * d + queries * (d * d + 4 * d * d)
        return linear + 2 * queries * n * d

    transformer = 2 * layer(n) + layer(k)
    return stem + 16 * 12 * block + patches + transformer + k * d * 3


def test_multiply_accumulates_are_those_of_the_layers(files):
    assert [count_macs(file) for file in files] == [demo_macs()] * 2


def test_rows_hold_medians_and_ratios(files):
    args = arguments(*files, "--threads", "2", "--rounds", "3", "--profile")
    product, tflite, onnx, *others = latency.run(args)
    assert product["gflops"] > 0
    assert tflite["ratio"] == 1.0
    for row in (tflite, onnx):
        assert row["ms"] > 0
        # Both clocks are processor time of one thread: the bound is its own.
        seconds = row["gmacs"] * 2 / product["gflops"]
        assert row["gemm_ratio"] == pytest.approx(row["ms"] / 1e3 / seconds, rel=0.5)
    batches = [row["batch"] for row in others if "batch" in row]
    assert batches == [1, *latency.BATCHES]
    assert [row["threads"] for row in others if "threads" in row] == [1, 2] * 2
    shares = [row for row in others if "share" in row]
    assert {row["file"] for row in shares} == {"student.tflite", "student.onnx"}
    assert sum(row["share"] for row in shares) == pytest.approx(2, abs=0.05)


def test_a_profile_counts_the_operators_of_the_file(files):
    tflite, onnx = map(profile, files)
    softmax = [count for kind, (count, _) in tflite.items() if "Softmax" in kind]
    assert softmax == [3]  # one per layer
    assert onnx["Softmax"][0] == 3


def test_a_profile_keeps_the_best_run_of_each_kind(monkeypatch):
    runs = [
        {"Conv": (2, 3.0), "Softmax": (1, 1.0)},
        {"Conv": (2, 2.0), "Add": (1, 5.0)},
    ]
    monkeypatch.setattr(profiles, "_litert", lambda path: runs)
    found = profile("student.tflite")
    assert list(found.items()) == [
        ("Add", (1, 5.0)),
        ("Conv", (2, 2.0)),
        ("Softmax", (1, 1.0)),
    ]


def test_operators_of_several_delegated_parts_count_one_by_one():
    summary = """
Summary by node type ============================
  [Node type]  [count]  [avg ms]  [avg %]  [cdf %]  [mem KB]  [times called]
     SOFTMAX        2     1.500   50.000%  50.000%     0.000               2
  Delegate/Fully Connected (NC, QS8, QC8W) GEMM 1 0.100 50.0% 100.0% 0.000 9

========================== Delegate Statistics ==========================
Delegate/Fully Connected (NC, QS8, QC8W) GEMM  9  100.00  1  424  900
"""
    assert profiles._parse_summary(summary) == {
        "SOFTMAX": (2, 3.0),
        "Fully Connected (NC, QS8, QC8W) GEMM": (9, pytest.approx(0.9)),
    }


def test_a_litert_profile_is_of_one_run(files):
    def once():
        with profiles._ProfiledModel(files[0]) as model:
            return sum(count for count, _ in model.run().values())

    operators = once()
    assert [once(), once()] == [operators] * 2


def test_a_file_of_something_else_is_refused(tmp_path):
    (tmp_path / "other.onnx").write_bytes(b"no model")
    with pytest.raises(ValueError, match="other.onnx: truncated, or not an ONNX"):
        latency.run(arguments(str(tmp_path / "other.onnx")))


def test_functions_are_timed_in_turns():
    order = []
    ticks = iter(range(100))
    seconds = interleave(
        [lambda: order.append("a"), lambda: order.append("b")],
        rounds=3,
        clock=lambda: next(ticks),
    )
    assert "".join(order) == "aabb" + "ab" * 3  # two calls warm up
    np.testing.assert_array_equal(seconds, np.ones((3, 2)))
