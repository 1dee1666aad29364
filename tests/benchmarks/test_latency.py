"""The latency benchmark: its rows and its mistakes."""

import numpy as np
import pytest

from distilpose_keras.benchmarks import latency
from distilpose_keras.profiling.files import Product
from tests.benchmarks.arguments import of


def arguments(*argv):
    return of("latency", *argv)


def demo_macs():
    """Multiply-accumulates of a deployed demo student, layer by layer."""
    stem = 32 * 24 * 9 * 3 * 16 + 16 * 12 * 9 * 16 * 16
    block = 16 * 16 + 9 * 16 * 16 + 16 * 64 + 16 * 64  # with its shortcut
    d, k, n = 64, 17, 17 + 16
    patches = 16 * (4 * 3 * 64) * d

    def layer(queries):
        linear = queries * d * d + 2 * n * d * d + queries * (d * d + 4 * d * d)
        return linear + 2 * queries * n * d

    transformer = 2 * layer(n) + layer(k)
    return stem + 16 * 12 * block + patches + transformer + k * d * 3


@pytest.mark.slow
def test_rows_hold_medians_and_ratios(files):
    args = arguments(*files, "--threads", "2", "--rounds", "3", "--profile")
    product, tflite, onnx, *others = latency.run(args)
    assert product["gflops"] > 0
    assert tflite["ratio"] == 1.0
    for row in (tflite, onnx):
        assert row["ms"] > 0
        assert row["gmacs"] == round(demo_macs() / 1e9, 3)
        assert row["gemm_ratio"] > 0 and row["blas_ratio"] > 0
    batches = [row["batch"] for row in others if "batch" in row]
    assert batches == [1, *latency.BATCHES]
    assert [row["threads"] for row in others if "threads" in row] == [1, 2] * 2
    shares = [row for row in others if "share" in row]
    assert {row["file"] for row in shares} == {"student.tflite", "student.onnx"}
    assert sum(row["share"] for row in shares) == pytest.approx(2, abs=0.05)


def test_files_are_compared_with_products_round_by_round(tmp_path, monkeypatch):
    """By hand: a file of 2e9 MACs beside a machine of 1e9, then 2e9 a second."""
    monkeypatch.setattr(latency, "GEMM_SIZE", 1000)
    own = (Product(1, 1000, 1000, 2000, True),)
    files = [tmp_path / "a.onnx", tmp_path / "b.onnx"]
    # The square product, the files' own, both files.
    seconds = np.array([[1.0, 2.0, 4.0, 8.0], [0.5, 1.5, 3.0, 9.0]])
    machine, first, second = latency._single_rows(files, [own, own], seconds)
    assert machine["gflops"] == 3  # of 2 and 4
    assert (first["ms"], first["ratio"], first["gmacs"]) == (3500, 1, 2)
    assert first["gemm_ratio"] == 2.5  # of 4 / 2 and 3 / 1
    assert first["blas_ratio"] == 2
    assert (second["ratio"], second["gemm_ratio"]) == (2.5, 6.5)
    assert second["blas_ratio"] == 5


def test_own_products_are_computed_as_often_as_the_file_does(monkeypatch):
    shapes = []
    monkeypatch.setattr(
        latency.np,
        "matmul",
        lambda a, b, out: shapes.append((a.shape, b.shape, out.shape)),
    )
    products = [Product(2, 3, 4, 5, False), Product(1, 6, 7, 8, True)]
    latency.products_call(products)()
    attention, linear = ((3, 4), (4, 5), (3, 5)), ((6, 7), (7, 8), (6, 8))
    assert shapes == [attention, attention, linear]


def test_a_file_of_something_else_is_refused(tmp_path):
    (tmp_path / "other.onnx").write_bytes(b"no model")
    with pytest.raises(ValueError, match="not a readable ONNX file: .*other.onnx"):
        latency.run(arguments(str(tmp_path / "other.onnx")))
