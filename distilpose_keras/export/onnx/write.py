"""Models as ONNX files."""

from typing import TYPE_CHECKING

import numpy as np

from distilpose_keras.export.convert import check_model
from distilpose_keras.export.onnx.half import store_half
from distilpose_keras.export.quantizers import (
    ONNXQuantizer,
    calibrate,
    finish_onnx,
    tidy_onnx,
)
from distilpose_keras.export.reproduce import write_checked
from distilpose_keras.types import FilePath

if TYPE_CHECKING:
    from distilpose_keras.models.model import PoseModel

PRECISIONS = ("float32", "float16", "int8")


def export_onnx(
    model: "PoseModel",
    path: FilePath,
    *,
    precision: str = "float32",
    calibration: np.ndarray | None = None,
    progress: bool = False,
) -> None:
    """Write a model as an ONNX file of any batch size, and its metadata beside it.

    The input `image` (batch, H, W, 3) takes RGB 0..255 as float32, the outputs are
    `keypoints` (batch, K, 2) and `scores` (batch, K, 1), whatever the precision. Only
    operators of the standard domain, opset 17. The file appears under its name only
    after ONNX Runtime has run it and reproduced the model's outputs.

    ``float16`` stores weights in half the space and computes in float32. ``int8``
    computes convolutions and linear maps in int8 and the rest in float32.

    Args:
        model: a `PoseModel`, trained on any backend.
        path: the file to write.
        precision: one of `PRECISIONS`.
        calibration: (N, H, W, 3) uint8 RGB crops, N at least 16, for int8;
            `distilpose_keras.export.calibration` draws them.
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
    if precision == "int8":
        quantizer = calibrate(
            ONNXQuantizer, model, precision, calibration, progress=progress
        )
        content = quantizer.build(quantizer.plan)
    else:
        proto = tidy_onnx(model)
        if precision == "float16":
            store_half(proto.graph)
        content = finish_onnx(proto, model, precision)
    write_checked(content, path, model, precision, calibration)
