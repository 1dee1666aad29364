from pathlib import Path

import numpy as np
import pytest

from distilpose_keras import preset_files
from distilpose_keras.preset_files import (
    is_model,
    model_file,
    preset_file,
    runnable_file,
)


@pytest.fixture
def two_presets(tmp_path, monkeypatch):
    monkeypatch.setattr(preset_files, "FOLDER", tmp_path)
    for name in ("distilpose_nano", "person_finder"):
        (tmp_path / f"{name}.keras").touch()
    return tmp_path


@pytest.fixture
def crops_of_people(data):
    from distilpose_keras.data.coco import coco_paths, load_people
    from distilpose_keras.export.calibration import calibration_crops
    from distilpose_keras.models.model import PoseModel

    people = load_people(*coco_paths(data, "train"))
    preset = PoseModel.from_preset("distilpose_nano")
    return calibration_crops(people, preset, count=16)


def test_a_name_is_the_file_in_the_package(two_presets):
    expected = two_presets / "distilpose_nano.keras"
    assert preset_file("distilpose_nano") == expected
    assert model_file("distilpose_nano") == expected
    assert preset_files.preset_names() == ["distilpose_nano", "person_finder"]


def test_a_name_is_run_by_the_exported_file_if_there_is_one(two_presets):
    kept = two_presets / "person_finder.keras"
    exported = two_presets / "distilpose_nano.onnx"
    exported.touch()
    assert runnable_file("distilpose_nano") == exported
    assert runnable_file("person_finder") == kept
    assert runnable_file(two_presets / "distilpose_nano.keras") == (
        two_presets / "distilpose_nano.keras"
    )
    assert model_file("distilpose_nano") == two_presets / "distilpose_nano.keras"


def test_the_two_files_of_a_preset_are_the_same_model(crops_of_people):
    from distilpose_keras.predictor import PosePredictor

    trained = PosePredictor(preset_file("distilpose_nano"))
    exported = PosePredictor("distilpose_nano")
    assert (trained.runtime, exported.runtime) == ("keras", "onnx")
    for flip in (False, True):
        expected, expected_scores = trained.predict_crops(crops_of_people, flip=flip)
        found, scores = exported.predict_crops(crops_of_people, flip=flip)
        # As fractions of the crop: float16 weights move a keypoint by 0.01 px of 128.
        assert np.abs(found - expected).mean() < 5e-4
        assert np.abs(scores - expected_scores).max() < 5e-3
    of_one_file = ("runtime", "precision", "image", "outputs", "format_version")
    both = exported.metadata.keys() & trained.metadata.keys() - set(of_one_file)
    assert {"ap", "model", "person_score"} <= both
    assert all(exported.metadata[key] == trained.metadata[key] for key in both)


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
