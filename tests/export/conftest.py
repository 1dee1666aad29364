"""A student and its exported files, made once for all export tests."""

import numpy as np
import pytest


def rough(model, seed=0):
    """Give a fresh model biases and norms that are not zero and one."""
    rng = np.random.default_rng(seed)
    weights = [
        w + rng.uniform(0, 0.1, w.shape).astype(w.dtype) if w.ndim == 1 else w
        for w in model.get_weights()
    ]
    model.set_weights(weights)
    return model


@pytest.fixture(scope="session")
def student():
    import keras

    from distilpose_keras.models.build import build_model

    keras.utils.set_random_seed(0)
    model = rough(build_model("demo_student"))
    model.metadata.update({"training_data": "noise", "ap": 0.25})
    return model


@pytest.fixture(scope="session")
def crops():
    from distilpose_keras.export.reproduce import smooth_noise

    return smooth_noise(16, (64, 48), seed=1)


@pytest.fixture(scope="session")
def exported(student, crops, tmp_path_factory):
    """Export on demand: ``exported("int8.tflite")`` returns the file's path."""
    from distilpose_keras.export.onnx import export_onnx
    from distilpose_keras.export.tflite import export_tflite

    folder = tmp_path_factory.mktemp("exported")

    def make(name):
        path = folder / f"student_{name}"
        if not path.exists():
            export = export_onnx if path.suffix == ".onnx" else export_tflite
            precision = name.split(".")[0]
            export(student, path, precision=precision, calibration=crops)
        return path

    return make


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """A small rendered data set in COCO's layout."""
    from distilpose_keras.data.synthetic import render_dataset

    folder = tmp_path_factory.mktemp("data") / "people"
    return render_dataset(folder, train_images=16, val_images=4, workers=1)


@pytest.fixture(scope="session")
def people(data):
    from distilpose_keras.data.coco import coco_paths, load_people

    return load_people(*coco_paths(data, "val"))


@pytest.fixture
def document():
    """The metadata of a TFLite file of 64 x 48 crops."""
    from types import SimpleNamespace

    from distilpose_keras.export.metadata import describe
    from distilpose_keras.keypoints import COCO_17

    config = SimpleNamespace(name="demo_student", input_size=(64, 48), schema=COCO_17)
    metadata = {"training_data": "synthetic, seed 0", "ap": 0.5, "version": "1.2"}
    model = SimpleNamespace(pose_config=config, metadata=metadata)
    return describe(model, runtime="tflite", precision="int8")
