"""The commands of `export/`: contracts, and one line for a mistake."""

import json
import os
import subprocess
import sys

import pytest

from distilpose_keras.formats.metadata import read_metadata


@pytest.fixture(scope="module")
def command(root):
    """Run ``export/NAME.py`` in a process of its own."""

    def run(name, *arguments):
        return subprocess.run(
            [sys.executable, root / "export" / f"{name}.py", *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=root,
            env=os.environ | {"PYTHONPATH": str(root)},
        )

    return run


@pytest.fixture(scope="module")
def keras_file(student, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "student.keras"
    student.save(path)
    return path


def failed(done, message):
    """Check for exit code 2 and one line on standard error."""
    assert done.returncode == 2, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert len(lines) == 1
    assert message in lines[0]
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_int8_from_a_data_set(command, keras_file, data, tmp_path):
    out = tmp_path / "student.tflite"
    done = command(
        *("to_tflite", keras_file, "--precision", "int8", "--calibration", data),
        *("--out", out),
    )
    assert done.returncode == 0, done.stderr
    assert read_metadata(out)["precision"] == "int8"
    assert "int8, 0.2" in done.stdout


@pytest.mark.slow
def test_verify_measures_and_exits_by_the_limit(
    command, keras_file, exported, data, tmp_path
):
    files = [exported("float32.tflite"), exported("float32.onnx")]
    out = tmp_path / "verified.json"
    arguments = ("verify", keras_file, *files, "--data", data, "--json", out)
    done = command(*arguments, "--max-ap-drop", -1)  # not even no loss will do
    assert done.returncode == 1, done.stderr
    assert "loses more than -1.0 AP" in done.stderr
    rows = json.loads(out.read_text())
    assert len(rows) == 3
    keys = "runtime precision bytes AP ap_drop max_keypoint_error_px latency_ms"
    assert all(set(keys.split()) <= row.keys() for row in rows)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["MODEL", "--out", "x.onnx"], "--out must end in .tflite"),
        (["MODEL", "--precision", "int4", "--out", "x.tflite"], "must be one of"),
        (["MODEL", "--precision", "int8", "--out", "x.tflite"], "needs --calibration"),
    ],
)
def test_a_mistake_is_one_line(arguments, message, command, keras_file):
    arguments = [keras_file if a == "MODEL" else a for a in arguments]
    failed(command("to_tflite", *arguments), message)


@pytest.mark.slow
def test_a_missing_model_is_one_line(command):
    failed(command("to_onnx", "gone.keras", "--out", "x.onnx"), "gone.keras")


@pytest.mark.slow
def test_a_file_of_something_else_is_one_line(command, keras_file, data, tmp_path):
    other = tmp_path / "other.onnx"
    other.write_bytes(b"something else")
    done = command("verify", keras_file, other, "--data", data)
    failed(done, "other.onnx: truncated, or not an ONNX file")
