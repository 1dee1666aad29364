"""Conversion: once for several precisions, and elsewhere under other backends."""

import subprocess
import sys
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from distilpose_keras.export import convert
from distilpose_keras.models.model import build_model
from tests.models.small import small


@pytest.fixture(scope="module")
def model():
    return small()


@pytest.fixture
def conversions(monkeypatch):
    """Kinds that were really converted, in turn."""
    done = []

    def converter(kind):
        def run(model):
            done.append(kind)
            return f"{kind} {len(done)}".encode()

        return run

    kinds = {kind: converter(kind) for kind in convert._CONVERTERS}
    monkeypatch.setattr(convert, "_CONVERTERS", kinds)
    monkeypatch.setattr(convert, "_last", {})
    monkeypatch.setattr(keras.backend, "backend", lambda: "tensorflow")
    return done


def test_a_graph_is_converted_once_for_several_precisions(model, conversions):
    first = convert.float_tflite(model)
    assert convert.float_tflite(model) == first == b"tflite 1"
    assert convert.float_onnx(model) == b"onnx 2"
    assert convert.float_tflite(model, for_integers=True) == b"tflite-for-integers 3"
    assert convert.float_tflite(model) == first


def test_other_weights_and_other_settings_are_converted_anew(model, conversions):
    convert.float_onnx(model)
    weight = model.weights[-1]
    value = np.array(weight)
    changed = value.copy()
    changed.flat[0] += 1e-3
    weight.assign(changed)
    try:
        convert.float_onnx(model)
    finally:
        weight.assign(value)
    same_weights = build_model(model.pose_config.with_overrides(name="other"))
    same_weights.set_weights(model.get_weights())
    convert.float_onnx(same_weights)
    assert conversions == ["onnx"] * 3


def test_only_pose_models_are_converted():
    with pytest.raises(ValueError, match="only a PoseModel .* Received: int"):
        convert.check_model(3)


def test_another_process_converts_with_tensorflow(model, monkeypatch):
    def run(command, *, env, **_):
        assert command[:3] == [sys.executable, "-m", convert.__name__]
        source, kind, result = command[3:]
        assert env["KERAS_BACKEND"] == "tensorflow"
        loaded = keras.saving.load_model(source)
        for one, other in zip(loaded.weights, model.weights, strict=True):
            np.testing.assert_array_equal(np.array(one), np.array(other))
        with open(result, "w") as file:
            file.write(f"converted to {kind}")
        return SimpleNamespace(returncode=0, stderr="")

    monkeypatch.setattr(subprocess, "run", run)
    assert convert._convert_elsewhere(model, "onnx") == b"converted to onnx"


@pytest.mark.parametrize(
    "stderr, message",
    [("Traceback\n  line\nKeyError: 3\n", "KeyError: 3"), ("", "no ")],
)
def test_what_went_wrong_there_is_told_in_one_line(model, monkeypatch, stderr, message):
    done = SimpleNamespace(returncode=1, stderr=stderr)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
    with pytest.raises(RuntimeError, match=f"TensorFlow failed: {message}") as error:
        convert._convert_elsewhere(model, "onnx")
    assert "\n" not in str(error.value)


def test_a_graph_becomes_a_file_that_computes_the_same():
    image = keras.Input((4, 3), name="input")
    layer = keras.layers.Dense(2, kernel_initializer="ones", bias_initializer="ones")
    content = convert.graph_to_tflite(keras.Model(image, {"keypoints": layer(image)}))
    runner = Interpreter(model_content=content).get_signature_runner()
    x = np.arange(12, dtype="float32").reshape(1, 4, 3)
    found = runner(image=x)["keypoints"]  # whatever the graph calls its input
    expected = np.repeat(x.sum(axis=-1, keepdims=True) + 1, 2, axis=-1)
    np.testing.assert_allclose(found, expected)
