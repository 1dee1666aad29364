"""Time per kind of operator, as two runtimes tell it."""

import pytest

from distilpose_keras.benchmarks import operators
from distilpose_keras.benchmarks.operators import profile


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
    monkeypatch.setattr(operators, "_litert", lambda path: runs)
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
    assert operators._parse_summary(summary) == {
        "SOFTMAX": (2, 3.0),
        "Fully Connected (NC, QS8, QC8W) GEMM": (9, pytest.approx(0.9)),
    }


def test_a_litert_profile_is_of_one_run(files):
    def once():
        with operators._ProfiledModel(files[0]) as model:
            return sum(count for count, _ in model.run().values())

    counted = once()
    assert [once(), once()] == [counted] * 2
