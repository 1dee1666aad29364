"""Models to float32 graphs: the TFLite and ONNX files that all others come from.

Both converters read a TensorFlow graph. Under another Keras backend the model is
saved and converted by this module as a command in a second process, which loads the
same weights with TensorFlow:

    python -m distilpose_keras.export.convert MODEL.keras KIND OUTPUT
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

from distilpose_keras.models.folding import model_config
from distilpose_keras.models.presets import config_to_dict

if TYPE_CHECKING:
    from distilpose_keras.models.model import PoseModel

ONNX_OPSET = 17  # the first with LayerNormalization
# Conversion takes longer than quantization: several precisions share the last one.
_last = {}


def check_model(model: Any) -> None:
    """Raise a ValueError unless ``model`` is a `PoseModel`."""
    _check_config(model, getattr(model, "pose_config", None))


def _check_config(model, config):
    if config is None:
        raise ValueError(
            "only a PoseModel can be exported. "
            f"Received: {getattr(model, 'name', None) or type(model).__name__}"
        )


def float_tflite(model: "PoseModel", *, for_integers: bool = False) -> bytes:
    """Convert a model to a float32 TFLite file, batch 1.

    Args:
        model: a `PoseModel` or a `FinderModel`, on any backend.
        for_integers: see `deploy`.

    Returns:
        bytes of the file, from `image` to what `deploy` returns; no metadata.

    Raises:
        ValueError: if it is neither.
        RuntimeError: if the conversion fails.
    """
    return _convert(model, "tflite-for-integers" if for_integers else "tflite")


def float_onnx(model: "PoseModel") -> bytes:
    """Convert a model to a float32 ONNX model, any batch size.

    Args:
        model: a `PoseModel` or a `FinderModel`, on any backend.

    Returns:
        bytes of the ``ModelProto``; no metadata.

    Raises:
        ValueError: if it is neither.
        RuntimeError: if the conversion fails.
    """
    return _convert(model, "onnx")


def _convert(model, kind):
    _check_config(model, model_config(model))
    if keras.backend.backend() == "tensorflow":
        return convert_once(kind, model, _CONVERTERS[kind])
    return convert_once(kind, model, lambda model: _convert_elsewhere(model, kind))


def convert_once(kind, model, convert):
    """Convert a model, unless it is the one that was converted last.

    Args:
        kind: what it is converted to.
        model: a `PoseModel` or a `QuantizedStudent`.
        convert: function of the model.

    Returns:
        What the function returned, now or before.
    """
    key = _fingerprint(model)
    if _last.get(kind, (None, None))[0] != key:
        _last[kind] = (key, convert(model))
    return _last[kind][1]


def _fingerprint(model):
    """Digest of a model's configuration and weights."""
    if hasattr(model, "pose_config"):
        config = config_to_dict(model.pose_config)
    else:
        config = asdict(model.finder_config)
    digest = hashlib.sha256(json.dumps(config).encode())
    for weight in model.get_weights():
        digest.update(weight.tobytes())
    return digest.hexdigest()


def graph_to_tflite(graph: keras.Model) -> bytes:
    """Convert a functional model to a float32 TFLite file, batch 1.

    Args:
        graph: `keras.Model` from one input to a dict of outputs, on TensorFlow.

    Returns:
        bytes of the file; its input is called `image`.
    """
    import tensorflow as tf

    archive = keras.export.ExportArchive()
    archive.track(graph)
    archive.add_endpoint(
        "serving_default",
        lambda image: graph(image, training=False),
        input_signature=[_image_spec(graph, batch_size=1)],
    )
    with tempfile.TemporaryDirectory() as folder:
        archive.write_out(folder, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        return converter.convert()


def _to_tflite(model):
    from distilpose_keras.models.deploy import deploy

    return graph_to_tflite(deploy(model, batch_size=1))


def _to_tflite_for_integers(model):
    from distilpose_keras.models.deploy import deploy

    return graph_to_tflite(deploy(model, batch_size=1, for_integers=True))


def _to_onnx(model):
    import tensorflow as tf
    import tf2onnx

    from distilpose_keras.models.deploy import deploy

    graph = deploy(model)
    spec = [_image_spec(graph, batch_size=None)]
    function = tf.function(
        lambda image: graph(image, training=False), input_signature=spec
    )
    proto, _ = tf2onnx.convert.from_function(
        function, input_signature=spec, opset=ONNX_OPSET
    )
    return proto.SerializeToString()


_CONVERTERS = {
    "tflite": _to_tflite,
    "tflite-for-integers": _to_tflite_for_integers,
    "onnx": _to_onnx,
}


def _image_spec(graph, batch_size):
    import tensorflow as tf

    shape = (batch_size, *graph.inputs[0].shape[1:])
    return tf.TensorSpec(shape, tf.float32, name="image")


def _convert_elsewhere(model, kind):
    """Convert in a process that runs Keras on TensorFlow.

    Args:
        model: a `PoseModel`.
        kind: a key of `_CONVERTERS`.
    """
    with tempfile.TemporaryDirectory() as folder:
        source, result = Path(folder, "model.keras"), Path(folder, "result")
        model.save(source)
        done = subprocess.run(
            [sys.executable, "-m", __name__, str(source), kind, str(result)],
            env=os.environ
            | {
                "KERAS_BACKEND": "tensorflow",
                "TF_CPP_MIN_LOG_LEVEL": "3",
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        if done.returncode:
            lines = done.stderr.strip().splitlines() or ["no message"]
            raise RuntimeError(f"conversion with TensorFlow failed: {lines[-1]}")
        return result.read_bytes()


if __name__ == "__main__":
    model_path, target, output = sys.argv[1:]
    source_model = keras.saving.load_model(model_path, compile=False)
    Path(output).write_bytes(_convert(source_model, target))
