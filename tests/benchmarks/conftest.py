"""Exported files to measure."""

import pytest


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """A demo student as float32 TFLite and ONNX files."""
    import keras

    from distilpose_keras.export.onnx import export_onnx
    from distilpose_keras.export.tflite import export_tflite
    from distilpose_keras.models.build import build_model

    keras.utils.set_random_seed(0)
    model = build_model("demo_student")
    folder = tmp_path_factory.mktemp("files")
    export_tflite(model, folder / "student.tflite")
    export_onnx(model, folder / "student.onnx")
    return [str(folder / "student.tflite"), str(folder / "student.onnx")]
