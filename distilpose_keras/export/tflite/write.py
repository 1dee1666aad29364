"""Models as TFLite files."""

from typing import TYPE_CHECKING

import numpy as np

from distilpose_keras.export.convert import check_model, float_tflite
from distilpose_keras.export.quantizers import TFLiteQuantizer, calibrate, finish_tflite
from distilpose_keras.export.reproduce import write_checked
from distilpose_keras.export.tflite.quantize import float16_weights
from distilpose_keras.types import FilePath

if TYPE_CHECKING:
    from distilpose_keras.models.model import PoseModel

PRECISIONS = ("float32", "float16", "int8", "int8-full")


def export_tflite(
    model: "PoseModel",
    path: FilePath,
    *,
    precision: str = "float32",
    calibration: np.ndarray | None = None,
    progress: bool = False,
) -> None:
    """Write a model as a TFLite file of batch 1, and its metadata beside it.

    The input `image` takes RGB 0..255, the outputs are `keypoints` (1, K, 2) and
    `scores` (1, K, 1). All operators are built in. The file appears under its name
    only after LiteRT has run it and reproduced the model's outputs.

    ``float16`` stores weights in half the space and computes in float32 (or in
    float16 on devices that can). ``int8`` computes convolutions and linear maps in
    int8 and the rest in float32; its input and outputs are float32. In ``int8-full``
    every operator, the input and the outputs are integer.

    Args:
        model: a `PoseModel`, trained on any backend.
        path: the file to write.
        precision: one of `PRECISIONS`.
        calibration: (N, H, W, 3) uint8 RGB crops, N at least 16, for the int8
            precisions; `distilpose_keras.export.calibration` draws them.
        progress: show a progress bar while an int8 precision calibrates.

    Raises:
        ValueError: if it is not a `PoseModel`, the precision is unknown, or the
            calibration is missing or unfit.
        ExportError: (a ValueError) if the file does not reproduce the model.
        OSError: if the file cannot be written; nothing is left under its name.
    """
    check_model(model)
    if precision not in PRECISIONS:
        raise ValueError(
            f"precision must be one of {', '.join(PRECISIONS)}. Received: {precision!r}"
        )
    if precision == "int8-full" and not model.pose_config.integer_only:
        raise ValueError(
            f"int8-full is for models that regress keypoints without decoding. "
            f"Received: {model.name}; int8 keeps the decoding in float32"
        )
    if precision.startswith("int8"):
        quantizer = calibrate(
            TFLiteQuantizer, model, precision, calibration, progress=progress
        )
        content = quantizer.build(quantizer.plan)
    else:
        content = float_tflite(model)
        if precision == "float16":
            content = float16_weights(content)
        content = finish_tflite(content, model, precision)
    write_checked(content, path, model, precision, calibration)
