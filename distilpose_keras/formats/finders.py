"""Runtimes of person finders: one small class per way to run one on pictures.

A runtime has ``input_size`` (height, width), ``metadata`` (a dict with the
``threshold`` of scores) and ``run(pictures)``, which takes uint8 RGB pictures (B, H, W,
3) and returns a dict of float32 ``boxes`` (B, N, 4), left, top, right and bottom as
fractions of the picture, and ``scores`` (B, N).
"""

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from distilpose_keras.formats.metadata import (
    DEFAULT_THRESHOLD,
    FINDING,
    read_metadata,
)
from distilpose_keras.formats.runtimes import (
    ONNXRuntime,
    TFLiteRuntime,
    unreadable,
)
from distilpose_keras.formats.seal import check_runs
from distilpose_keras.preset_files import SUFFIXES
from distilpose_keras.types import FilePath

if TYPE_CHECKING:
    from distilpose_keras.models.finder import FinderModel


def open_finder(
    model: "FinderModel | FilePath", *, num_threads: int | None = None
) -> "KerasFinder | TFLiteFinder | ONNXFinder | OpenCVFinder":
    """Open a person finder.

    Args:
        model: a `FinderModel`, or the path of a ``.keras``, ``.tflite`` or ``.onnx``
            file of one. ONNX files run in ONNX Runtime, or, where it is not
            installed, in OpenCV, which takes about four times as long.
        num_threads: threads of the TFLite or ONNX runtime; all cores by default.

    Raises:
        ValueError: one line, if the file is missing, damaged or of another kind.
    """
    if not isinstance(model, str | os.PathLike):
        return KerasFinder(model)
    path = Path(model)
    if path.suffix not in SUFFIXES:
        raise ValueError(
            f"a model file must end in {', '.join(SUFFIXES)}. Received: {path}"
        )
    if not path.is_file():
        raise ValueError(f"model file not found: {path}")
    if path.suffix == ".keras":
        from distilpose_keras.models.finder import load_finder

        return KerasFinder(load_finder(path))
    check_runs(path)
    if path.suffix == ".tflite":
        return TFLiteFinder(path, num_threads=num_threads)
    if find_spec("onnxruntime"):
        return ONNXFinder(path, num_threads=num_threads)
    return OpenCVFinder(path)


class _FinderFile:
    """A file of a person finder: what it says about itself."""

    def describe(self, path):
        """Fill the attributes from the metadata of the file."""
        self.metadata = read_metadata(path, FINDING)
        self.input_size = tuple(self.metadata["input_size"])


class TFLiteFinder(_FinderFile, TFLiteRuntime):
    """A ``.tflite`` file in LiteRT."""


class ONNXFinder(_FinderFile, ONNXRuntime):
    """An ``.onnx`` file in ONNX Runtime."""


class OpenCVFinder(_FinderFile):
    """An ``.onnx`` file in OpenCV, one picture at a time."""

    name = "opencv"

    def __init__(self, path: FilePath) -> None:
        """Load ``path``; see `open_finder`."""
        import cv2

        self.describe(path)
        try:
            self._net = cv2.dnn.readNetFromONNX(str(path))
        except cv2.error as error:
            raise unreadable(path, error) from None

    def run(self, pictures: np.ndarray) -> dict[str, np.ndarray]:
        """Return boxes and scores for uint8 pictures (B, H, W, 3)."""
        found = []
        for picture in pictures:
            self._net.setInput(np.ascontiguousarray(picture[None], np.float32))
            found.append(self._net.forward(["boxes", "scores"]))
        boxes, scores = (np.concatenate(values) for values in zip(*found, strict=True))
        return {"boxes": boxes, "scores": scores}


class KerasFinder:
    """A `FinderModel`; its weights stay live: it can be one that is being trained."""

    name = "keras"

    def __init__(self, model: "FinderModel") -> None:
        """Wrap ``model`` with normalisation and decoding."""
        import keras

        from distilpose_keras.codecs.middles import graph_decode
        from distilpose_keras.pixels import normalize_images

        self.input_size = model.finder_config.input_size
        self.metadata = {"threshold": DEFAULT_THRESHOLD, **model.metadata}
        images = keras.Input((*self.input_size, 3), dtype="uint8", name="image")
        outputs = model(normalize_images(images), training=False)
        self._model = keras.Model(images, graph_decode(outputs))

    def run(self, pictures: np.ndarray) -> dict[str, np.ndarray]:
        """Return boxes and scores for uint8 pictures (B, H, W, 3)."""
        outputs = self._model.predict_on_batch(pictures)
        return {name: np.asarray(value) for name, value in outputs.items()}
