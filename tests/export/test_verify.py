"""Verification: what it measures is what others measure."""

import numpy as np
import pytest

from distilpose_keras.crops import crop_batches
from distilpose_keras.evaluation import evaluate
from distilpose_keras.export.verify import verify
from distilpose_keras.formats.runtimes import open_runtime
from distilpose_keras.models.model import build_model


@pytest.fixture(scope="module")
def files(exported):
    return [exported(name) for name in ("float32.tflite", "int8.onnx")]


@pytest.fixture(scope="module")
def rows(student, files, people):
    return verify(student, files, people)


def test_the_reference_comes_first(rows, files):
    reference, *others = rows
    assert (reference["runtime"], reference["bytes"]) == ("keras", None)
    assert reference["ap_drop"] == reference["max_keypoint_error_px"] == 0
    assert [row["file"] for row in others] == [str(file) for file in files]
    assert [row["runtime"] for row in others] == ["tflite", "onnx"]
    assert [row["precision"] for row in others] == ["float32", "int8"]
    assert [row["bytes"] for row in others] == [file.stat().st_size for file in files]
    assert all(row["latency_ms"] > 0 for row in rows)


def test_ap_is_that_of_evaluate_and_the_drop_in_points(rows, files, people):
    for row, file in zip(rows[1:], files, strict=True):
        assert row["AP"] == evaluate(file, people)["AP"]
        assert row["ap_drop"] == pytest.approx(100 * (rows[0]["AP"] - row["AP"]))


def test_keypoint_errors_are_pixels_of_the_crop(rows, student, files, people):
    (batch,) = crop_batches(people, input_size=(64, 48), batch_size=len(people))
    expected = open_runtime(student).run(batch.crops)["keypoints"]
    for row, file in zip(rows[1:], files, strict=True):
        moved = open_runtime(file).run(batch.crops)["keypoints"] - expected
        distances = np.hypot(48 * moved[..., 0], 64 * moved[..., 1])
        assert row["max_keypoint_error_px"] == pytest.approx(distances.max(), abs=1e-3)
        assert row["mean_keypoint_error_px"] == pytest.approx(
            distances.mean(), abs=1e-3
        )


def test_a_file_of_another_input_size_is_refused(files, people):
    other = build_model("demo_student", input_size=(128, 96))
    with pytest.raises(ValueError, match="float32.tflite: its input_size is not"):
        verify(other, files[:1], people)
