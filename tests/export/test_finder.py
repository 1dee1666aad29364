"""Files of person finders: every runtime finds what the model finds."""

import keras
import numpy as np
import pytest

from distilpose_keras.detection import PRESET
from distilpose_keras.export.finder import export_finder
from distilpose_keras.export.reproduce import ExportError
from distilpose_keras.formats.finders import OpenCVFinder, open_finder
from distilpose_keras.formats.metadata import read_metadata
from distilpose_keras.formats.runtimes import open_runtime
from distilpose_keras.models.finder import FinderConfig, FinderModel


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(1)
    model = FinderModel(FinderConfig(input_size=(64, 96), width=16))
    for layer in model.layers:  # without training nothing gets through the trunk
        if layer.name.startswith("backbone") and layer.weights:
            layer.set_weights([2.2 * w for w in layer.get_weights()])
    middles = model.get_layer("finder-middles")
    kernel, bias = middles.get_weights()
    rng = np.random.default_rng(0)  # scores all over [0, 1]
    middles.set_weights([rng.normal(0, 2, kernel.shape), bias + 4])
    model.metadata["threshold"] = 0.125
    return model


@pytest.fixture(scope="module")
def picture():
    return np.random.default_rng(0).integers(0, 256, (1, 64, 96, 3)).astype(np.uint8)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".onnx", ".tflite"])
@pytest.mark.parametrize(("precision", "exact"), [("float32", 1e-3), ("float16", 2e-2)])
def test_files_find_what_the_model_finds(
    model, picture, tmp_path, suffix, precision, exact
):
    path = tmp_path / f"finder{suffix}"
    export_finder(model, path, precision=precision)
    runtimes = [open_finder(path, num_threads=1)]
    if suffix == ".onnx":
        runtimes.append(OpenCVFinder(path))
    expected = open_finder(model).run(picture)
    assert np.ptp(expected["scores"]) > 0.05
    for runtime in runtimes:
        assert runtime.input_size == (64, 96)
        assert runtime.metadata["threshold"] == 0.125
        assert runtime.metadata["precision"] == precision
        found = runtime.run(picture)
        for name in ("boxes", "scores"):
            np.testing.assert_allclose(found[name], expected[name], atol=exact)
    with pytest.raises(ValueError, match="it must hold a model for poses"):
        open_runtime(path)


@pytest.mark.slow
def test_a_file_that_finds_something_else_is_not_written(model, tmp_path, monkeypatch):
    from distilpose_keras.export import finder

    monkeypatch.setitem(finder.TOLERANCES, "float32", -1.0)
    with pytest.raises(ExportError, match="does not reproduce the finder"):
        export_finder(model, tmp_path / "finder.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "precision", "message"),
    [("x.pb", "float32", "must end in .onnx or .tflite"), ("x.onnx", "int8", "int8")],
)
def test_mistakes_are_named(model, tmp_path, name, precision, message):
    with pytest.raises(ValueError, match=message):
        export_finder(model, tmp_path / name, precision=precision)


def test_the_file_that_ships_is_small_and_runs_in_opencv_too():
    pytest.importorskip("onnxruntime")
    assert PRESET.stat().st_size < 2e6
    size = read_metadata(PRESET, "finding people")["input_size"]
    noise = np.random.default_rng(0).integers(0, 256, (1, *size, 3)).astype(np.uint8)
    found = open_finder(PRESET).run(noise)
    other = OpenCVFinder(PRESET).run(noise)
    for name in ("boxes", "scores"):
        np.testing.assert_allclose(other[name], found[name], atol=5e-3)


def test_files_that_cannot_be_opened_are_named(tmp_path):
    damaged = tmp_path / "finder.onnx"
    content = bytearray(PRESET.read_bytes())
    content[1000] ^= 1
    damaged.write_bytes(content)
    with pytest.raises(ValueError, match="damaged"):
        open_finder(damaged)
    with pytest.raises(ValueError, match="must end in"):
        open_finder("finder.pt")
    with pytest.raises(ValueError, match="not found"):
        open_finder(tmp_path / "gone.onnx")
