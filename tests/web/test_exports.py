"""Files for browsers, made of a trained model once."""

import pytest

from distilpose_keras.formats.runtimes import open_runtime
from distilpose_keras.web import exports


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("DISTILPOSE_CACHE", str(tmp_path / "cache"))


@pytest.mark.slow
def test_a_model_is_exported_once(student, tmp_path):
    path = tmp_path / "mine.keras"
    student.save(path)
    said = []
    files = exports.browser_files(path, say=said.append)
    assert [file.name for file in files] == ["mine.tflite", "mine.onnx"]
    assert [open_runtime(file).name for file in files] == ["tflite", "onnx"]
    assert exports.browser_files(path, say=said.append) == files
    assert said == ["exporting mine.keras for browsers, once"]
    assert exports.browser_files(path, [".onnx"], say=said.append) == files[1:]


def test_other_weights_are_another_file(tmp_path):
    path = tmp_path / "mine.keras"
    path.write_bytes(b"some weights")
    before = exports._key(path)
    path.write_bytes(b"other weights")
    assert exports._key(path) != before
