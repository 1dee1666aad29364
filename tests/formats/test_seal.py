"""Checksums in exported files, and trials of files that have none."""

import io
import zipfile

import numpy as np
import onnx
import onnxruntime
import pytest

from distilpose_keras.formats import seal
from distilpose_keras.formats.runtimes import open_runtime
from distilpose_keras.formats.seal import KEY, MEMBER, check_runs, seal_holds
from tests.faults.commands import onnx_student


def unsealed(content):
    """The ONNX file without its checksum."""
    return content[: content.rindex(KEY) - 4]


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "student.onnx"
    path.write_bytes(onnx_student())
    return path


def test_a_sealed_onnx_file_is_one_that_others_read(path):
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert {p.key for p in model.metadata_props} == {"distilpose", KEY.decode()}
    session = onnxruntime.InferenceSession(path)
    assert session.get_inputs()[0].name == "image"
    assert seal_holds(path) is True


def test_every_byte_is_under_the_seal(path, monkeypatch):
    monkeypatch.setattr(seal, "_try_in_a_process", lambda *_: pytest.fail("tried"))
    content = path.read_bytes()
    for position in range(0, len(content) - len(seal._onnx_tail(b"")), 97):
        spoiled = bytearray(content)
        spoiled[position] ^= 1
        path.write_bytes(spoiled)
        assert seal_holds(path) is False
    with pytest.raises(ValueError, match="student.onnx: damaged .its checksum"):
        open_runtime(path)


def test_a_sealed_tflite_file_keeps_its_archive(tmp_path):
    stream = io.BytesIO(b"the model" * 50)
    stream.seek(0, io.SEEK_END)
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr("keypoints.txt", "nose\n")
    path = tmp_path / "a.tflite"
    content = seal.sealed(stream.getvalue(), ".tflite")
    path.write_bytes(content)
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["keypoints.txt", MEMBER]
        assert archive.read("keypoints.txt") == b"nose\n"
    assert seal_holds(path) is True
    path.write_bytes(b"The" + content[3:])
    assert seal_holds(path) is False
    path.write_bytes(stream.getvalue())
    assert seal_holds(path) is None


def test_a_file_without_a_seal_is_tried_once_and_run(path, monkeypatch):
    path.write_bytes(unsealed(path.read_bytes()))
    assert seal_holds(path) is None
    runtime = open_runtime(path)
    assert runtime.run(np.zeros((1, 64, 48, 3), np.uint8))["keypoints"].shape == (
        1,
        17,
        2,
    )
    monkeypatch.setattr(seal, "_try_in_a_process", lambda *_: pytest.fail("again"))
    check_runs(path)


def test_a_file_that_does_not_run_is_refused_by_its_trial(path):
    model = onnx.load_from_string(unsealed(path.read_bytes()))
    model.graph.node[3].input[1] = "one"  # keypoints (n, 17, 1), and twice as many
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ValueError, match="student.onnx: its outputs must be") as info:
        open_runtime(path)
    assert "\n" not in str(info.value)


@pytest.mark.parametrize(
    ("program", "seconds", "said"),
    [
        ("import os; os.abort()", 60, "damaged .its runtime crashes on it"),
        ("import time; time.sleep(60)", 2, "did not run within 2 seconds"),
    ],
)
def test_a_trial_outlives_its_runtime(path, monkeypatch, program, seconds, said):
    path.write_bytes(unsealed(path.read_bytes()))
    run = seal.subprocess.run
    monkeypatch.setattr(seal, "TRIAL_SECONDS", seconds)
    monkeypatch.setattr(
        seal.subprocess,
        "run",
        lambda command, **how: run([command[0], "-c", program], **how),
    )
    with pytest.raises(ValueError, match=said):
        open_runtime(path)
