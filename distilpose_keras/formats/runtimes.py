"""Runtimes: one small class per way to run a pose model on crops.

A runtime has ``input_size`` (height, width), the ``geometry`` of its crops, ``schema``,
``metadata`` (a dict), a ``codec`` and ``run(crops)``, which takes uint8 RGB crops
(N, H, W, 3) and returns a dict of the float32 arrays that the codec decodes. Exported
files have decoded already: ``keypoints`` (N, K, 2) and ``scores`` (N, K, 1).
"""

import os
from typing import TYPE_CHECKING

import numpy as np

from distilpose_keras.codecs.coordinates import CoordinateCodec
from distilpose_keras.formats.seal import check_runs
from distilpose_keras.keypoints import KeypointSchema
from distilpose_keras.preset_files import runnable_file
from distilpose_keras.types import FilePath

if TYPE_CHECKING:
    from distilpose_keras.models.model import PoseModel


def open_runtime(
    model: "PoseModel | FilePath", *, num_threads: int | None = None
) -> "KerasRuntime | TFLiteRuntime | ONNXRuntime":
    """Open a model for inference.

    Args:
        model: a `PoseModel`, the path of a ``.keras``, ``.tflite`` or ``.onnx`` file
            written by this project, or the name of a preset, which runs as ONNX.
        num_threads: threads of the TFLite or ONNX runtime; all cores by default.
            Keras manages its own.

    Raises:
        ValueError: if the file is missing, truncated, of another kind or not ours.
    """
    if not isinstance(model, str | os.PathLike):
        return KerasRuntime(model)
    path = runnable_file(model)
    if not path.is_file():
        raise ValueError(f"model file not found: {path}")
    if path.suffix == ".keras":
        from distilpose_keras.models.model import load_model

        return KerasRuntime(load_model(path))
    check_runs(path)
    runtime = TFLiteRuntime if path.suffix == ".tflite" else ONNXRuntime
    return runtime(path, num_threads=num_threads)


class KerasRuntime:
    """A `PoseModel`; its weights stay live, so it can be one that is being trained."""

    name = "keras"

    def __init__(self, model: "PoseModel") -> None:
        """Wrap ``model`` with the normalisation that a raw model leaves to others."""
        import keras

        from distilpose_keras.pixels import normalize_images

        config = model.pose_config
        self.input_size = tuple(config.input_size)
        self.geometry = config.geometry
        self.schema = config.schema
        self.metadata = {
            **model.metadata,
            "model": config.name,
            "person_score": config.person_score,
        }
        self.codec = config.codec
        images = keras.Input((*self.input_size, 3), dtype="uint8", name="image")
        normalized = normalize_images(
            images, config.image_mean, config.image_std, bgr=config.bgr
        )
        outputs = model(normalized, training=False)
        self._model = keras.Model(
            images, {name: outputs[name] for name in self.codec.outputs}
        )

    def run(self, crops: np.ndarray) -> dict[str, np.ndarray]:
        """Return the outputs for uint8 crops (N, H, W, 3)."""
        count = len(crops)
        # Padded to a power of two: each new batch size would be compiled anew.
        size = 1 << max(count - 1, 0).bit_length()
        if size != count:
            padding = np.zeros((size - count, *crops.shape[1:]), crops.dtype)
            crops = np.concatenate([crops, padding])
        outputs = self._model.predict_on_batch(crops)
        return {
            name: np.asarray(value, np.float32)[:count]
            for name, value in outputs.items()
        }


class _PoseFile:
    """A file of a pose model: what it says about itself."""

    def describe(self, path: FilePath) -> None:
        """Fill the attributes from the metadata of the file."""
        from distilpose_keras.formats.metadata import geometry_of, read_metadata

        self.metadata = read_metadata(path)
        self.input_size = tuple(self.metadata["input_size"])
        self.geometry = geometry_of(self.metadata)
        self.schema = KeypointSchema.from_dict(self.metadata["schema"])
        # Files from before there were models that need it do not have it.
        self.codec = CoordinateCodec(self.metadata.get("mirror_shift", 0.0))


class TFLiteRuntime(_PoseFile):
    """A ``.tflite`` file in LiteRT, one crop at a time."""

    name = "tflite"

    def __init__(self, path: FilePath, *, num_threads: int | None = None) -> None:
        """Load ``path``; see `open_runtime`."""
        from ai_edge_litert.interpreter import Interpreter

        self.describe(path)
        try:
            self._interpreter = Interpreter(
                str(path), num_threads=num_threads or os.cpu_count()
            )
            self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise unreadable(path, error) from None
        self._input = self._interpreter.get_input_details()[0]
        signature = self._interpreter.get_signature_runner()
        self._outputs = signature.get_output_details()
        # All 256 pixel values in the type and scale that the file wants.
        self._pixels = _quantize(np.arange(256, dtype=np.float32), self._input)

    def run(self, crops: np.ndarray) -> dict[str, np.ndarray]:
        """Return the outputs for uint8 crops (N, H, W, 3)."""
        found = {name: [] for name in self._outputs}
        for crop in crops:
            self._interpreter.set_tensor(self._input["index"], self._pixels[crop][None])
            self._interpreter.invoke()
            for name, details in self._outputs.items():
                value = self._interpreter.get_tensor(details["index"])
                found[name].append(_dequantize(value[0], details))
        return {
            name: np.stack(values)
            if values
            else np.zeros((0, *self._outputs[name]["shape"][1:]), np.float32)
            for name, values in found.items()
        }


class ONNXRuntime(_PoseFile):
    """An ``.onnx`` file in ONNX Runtime, any batch size."""

    name = "onnx"

    def __init__(self, path: FilePath, *, num_threads: int | None = None) -> None:
        """Load ``path``; see `open_runtime`."""
        import onnxruntime

        self.describe(path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = num_threads or os.cpu_count()
        options.log_severity_level = 4  # errors are raised, not printed
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        # The runtime's errors share no narrower base class.
        except Exception as error:
            raise unreadable(path, error) from None
        self._input = self._session.get_inputs()[0].name
        self._outputs = [output.name for output in self._session.get_outputs()]

    def run(self, crops: np.ndarray) -> dict[str, np.ndarray]:
        """Return the outputs for uint8 crops (N, H, W, 3)."""
        values = self._session.run(
            self._outputs, {self._input: crops.astype(np.float32)}
        )
        return dict(zip(self._outputs, values, strict=True))


def unreadable(path, error):
    """The error for a file that its runtime does not open."""
    reason = str(error).strip().splitlines()[:1]
    return ValueError(f"{path}: truncated or damaged ({''.join(reason)})")


def _quantize(values, details):
    """Values in the type of a TFLite tensor, by its scale and zero point."""
    dtype = details["dtype"]
    if not np.issubdtype(dtype, np.integer):
        return values.astype(dtype)
    scale, zero_point = details["quantization"]
    limits = np.iinfo(dtype)
    steps = np.rint(values / scale) + zero_point
    return np.clip(steps, limits.min, limits.max).astype(dtype)


def _dequantize(values, details):
    """float32 values of a TFLite tensor, by its scale and zero point."""
    if not np.issubdtype(details["dtype"], np.integer):
        return values.astype(np.float32)
    scale, zero_point = details["quantization"]
    return (values.astype(np.float32) - zero_point) * np.float32(scale)
