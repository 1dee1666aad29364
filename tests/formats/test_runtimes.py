"""Every file format gives the outputs of the model itself; others are refused."""

import keras
import numpy as np
import onnx
import pytest

from distilpose_keras.formats.runtimes import _dequantize, _quantize, open_runtime
from distilpose_keras.models.model import build_model
from distilpose_keras.pixels import normalize_images
from distilpose_keras.predictor import PosePredictor

SIZE = (64, 48)
# As small as a token model gets: what takes time here is compiling it.
TINY = {
    "input_size": SIZE,
    "backbone": {"width": 8, "blocks": 1},
    "transformer": {"layers": 1},
}


@pytest.fixture(scope="module")
def student():
    return build_model("demo_student", **TINY)


@pytest.fixture(scope="module")
def files(student, tmp_path_factory):
    """The student as files of all kinds."""
    from distilpose_keras.export.onnx.write import export_onnx
    from distilpose_keras.export.tflite.write import export_tflite

    folder = tmp_path_factory.mktemp("models")
    student.save(folder / "student.keras")
    export_tflite(student, folder / "student.tflite")
    export_onnx(student, folder / "student.onnx")
    return folder


def crops(count, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, *SIZE, 3)).astype(np.uint8)


def direct(model, pixels):
    outputs = model(normalize_images(pixels), training=False)
    return {name: keras.ops.convert_to_numpy(v) for name, v in outputs.items()}


@pytest.mark.backend
def test_keras_runtime_gives_the_models_outputs_of_any_number_of_crops(student):
    expected = direct(student, crops(4))
    found = open_runtime(student).run(crops(4)[:3])
    assert set(found) == {"keypoints", "scores"}
    for name, values in found.items():
        np.testing.assert_allclose(values, expected[name][:3], atol=1e-5)


def test_keras_runtime_runs_a_teacher():
    teacher = build_model("demo_teacher", **TINY)
    pixels = crops(2)
    runtime = open_runtime(teacher)
    assert runtime.codec == teacher.pose_config.codec
    expected = direct(teacher, pixels)["heatmaps"]
    np.testing.assert_allclose(runtime.run(pixels)["heatmaps"], expected, atol=1e-4)


def test_keras_runtime_follows_the_weights_of_a_model_in_training(student):
    runtime = open_runtime(student)
    before = runtime.run(crops(1))["keypoints"]
    weights = student.get_weights()
    student.set_weights([1.5 * w for w in weights])
    after = runtime.run(crops(1))["keypoints"]
    student.set_weights(weights)
    assert np.abs(after - before).max() > 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".keras", ".tflite", ".onnx"])
def test_files_give_the_models_keypoints(student, files, suffix):
    predictor = PosePredictor(files / f"student{suffix}")
    assert predictor.runtime == suffix[1:]
    assert predictor.input_size == SIZE
    assert predictor.schema == student.pose_config.schema
    assert predictor.metadata["model"] == "demo_student"
    for count in (1, 3):
        keypoints, scores = predictor.predict_crops(crops(count))
        expected = direct(student, crops(count))
        np.testing.assert_allclose(keypoints, expected["keypoints"], atol=1e-4)
        np.testing.assert_allclose(scores, expected["scores"][..., 0], atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".keras", ".tflite", ".onnx"])
def test_truncated_files_are_named(files, tmp_path, suffix):
    content = (files / f"student{suffix}").read_bytes()
    for share in (0.02, 0.5, 0.9):
        path = tmp_path / f"half{suffix}"
        path.write_bytes(content[: int(len(content) * share)])
        with pytest.raises(ValueError, match=f"half{suffix}"):
            open_runtime(path)


@pytest.mark.slow
def test_an_onnx_file_of_another_project_is_refused(files, tmp_path):
    model = onnx.load(files / "student.onnx")
    del model.metadata_props[:]
    path = tmp_path / "other.onnx"
    onnx.save(model, path)
    with pytest.raises(ValueError, match="other.onnx: not an export of distilpose"):
        open_runtime(path)


@pytest.mark.parametrize("suffix", [".keras", ".tflite", ".onnx"])
def test_missing_and_empty_files_are_named(tmp_path, suffix):
    path = tmp_path / f"model{suffix}"
    with pytest.raises(ValueError, match=f"not found: .*model{suffix}"):
        open_runtime(path)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match=f"model{suffix}"):
        open_runtime(path)


def test_an_unknown_suffix_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"\.keras, \.tflite, \.onnx. Received: .*pth"):
        open_runtime(tmp_path / "model.pth")


def test_integer_tensors_are_scaled_by_their_parameters():
    details = {"dtype": np.int8, "quantization": (0.5, -10)}
    steps = _quantize(np.array([0.0, 1.0, 5.2, 1e9]), details)
    assert steps.dtype == np.int8
    assert steps.tolist() == [-10, -8, 0, 127]
    np.testing.assert_allclose(_dequantize(steps[:3], details), [0, 1, 5])
    plain = {"dtype": np.float32, "quantization": (0.0, 0)}
    assert _dequantize(np.float32([1.5]), plain).tolist() == [1.5]
