"""What is measured: exported files and rendered people."""

import pytest


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """A demo student as float32 TFLite and ONNX files."""
    import keras

    from distilpose_keras.export.onnx.write import export_onnx
    from distilpose_keras.export.tflite.write import export_tflite
    from distilpose_keras.models.model import build_model

    keras.utils.set_random_seed(0)
    model = build_model("demo_student")
    folder = tmp_path_factory.mktemp("files")
    export_tflite(model, folder / "student.tflite")
    export_onnx(model, folder / "student.onnx")
    return [str(folder / "student.tflite"), str(folder / "student.onnx")]


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """The folder of a small rendered data set."""
    from distilpose_keras.synthetic import render_dataset

    folder = tmp_path_factory.mktemp("people") / "data"
    return str(render_dataset(folder, train_images=4, val_images=1, workers=1))
