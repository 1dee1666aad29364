from pathlib import Path

import pytest

from distilpose_keras import preset_files
from distilpose_keras.preset_files import is_model, model_file, preset_file


@pytest.fixture
def two_presets(tmp_path, monkeypatch):
    monkeypatch.setattr(preset_files, "FOLDER", tmp_path)
    for name in ("distilpose_nano", "person_finder"):
        (tmp_path / f"{name}.keras").touch()
    return tmp_path


def test_a_name_is_the_file_in_the_package(two_presets):
    expected = two_presets / "distilpose_nano.keras"
    assert preset_file("distilpose_nano") == expected
    assert model_file("distilpose_nano") == expected
    assert preset_files.preset_names() == ["distilpose_nano", "person_finder"]


def test_a_path_is_itself(two_presets):
    assert model_file("runs/student.tflite") == Path("runs/student.tflite")
    assert model_file(Path("distilpose_nano.keras")) == Path("distilpose_nano.keras")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("distilpose_nanno", "did you mean 'distilpose_nano'[?] there are: dist"),
        ("zzz", "'zzz' are in this package; there are: distilpose_nano, person"),
        ("student.h5", "must end in .keras, .tflite, .onnx. Received: student.h5"),
        ("runs/student", "must end in .keras, .tflite, .onnx. Received: runs/stu"),
    ],
)
def test_anything_else_is_refused_in_one_line(two_presets, text, line):
    with pytest.raises(ValueError, match=line) as error:
        model_file(text)
    assert "\n" not in str(error.value)


def test_what_names_a_model(two_presets):
    assert is_model("a.onnx")
    assert is_model("person_finder")
    assert not is_model("photo.jpg")
    assert not is_model("photos")
