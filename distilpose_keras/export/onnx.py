"""Students as ONNX files."""

from distilpose_keras.export.calibration import check_crops
from distilpose_keras.export.convert import check_student, float_onnx
from distilpose_keras.export.metadata import describe, embed_onnx, write_sidecar
from distilpose_keras.export.reproduce import check_reproduces
from distilpose_keras.files import atomic_path

PRECISIONS = ("float32", "int8")


def export_onnx(model, path, *, precision="float32", calibration=None):
    """Write a student as an ONNX file of any batch size, and its metadata beside it.

    The input `image` (batch, H, W, 3) takes RGB 0..255 as float32, the outputs are
    `keypoints` (batch, K, 2) and `scores` (batch, K, 1), whatever the precision. Only
    operators of the standard domain, opset 17. The file appears under its name only
    after ONNX Runtime has run it and reproduced the model's outputs.

    ``int8`` computes convolutions and linear maps in int8 and the rest in float32.

    Args:
        model: a student `PoseModel`, trained on any backend.
        path: the file to write.
        precision: one of `PRECISIONS`.
        calibration: (N, H, W, 3) uint8 RGB crops, N at least 16, for int8;
            `distilpose_keras.export.calibration` draws them.

    Raises:
        ValueError: if the model is not a student, the precision is unknown, or the
            calibration is missing or unfit.
        ExportError: (a ValueError) if the file does not reproduce the model.
        OSError: if the file cannot be written; nothing is left under its name.
    """
    from distilpose_keras.export import onnx_quantize

    check_student(model)
    if precision not in PRECISIONS:
        raise ValueError(
            f"precision must be one of {', '.join(PRECISIONS)}. Received: {precision!r}"
        )
    if precision == "int8":
        check_crops(calibration, model)
    proto = tidy_onnx(model)
    if precision == "int8":
        proto = onnx_quantize.quantize(
            proto,
            onnx_quantize.selective(proto),
            onnx_quantize.activation_ranges(proto, calibration),
        )
    write_onnx(proto, model, path, precision, calibration)


def tidy_onnx(model):
    """Convert a student to a float32 ``ModelProto`` ready to be written."""
    import onnx

    from distilpose_keras.export.onnx_graph import tidy

    proto = onnx.load_from_string(float_onnx(model))
    tidy(proto)
    return proto


def write_onnx(proto, model, path, precision, crops=None):
    """Finish a converted model: metadata, checks, write.

    Args:
        proto: the ``ModelProto``.
        model: the student it was made of.
        path: the file to write.
        precision: one of `PRECISIONS`.
        crops: uint8 crops for the check, or None.
    """
    import onnx

    document = describe(model, runtime="onnx", precision=precision)
    embed_onnx(proto, document)
    onnx.checker.check_model(proto, full_check=True)
    with atomic_path(path) as temporary:
        temporary.write_bytes(proto.SerializeToString())
        check_reproduces(temporary, model, precision, crops)
    write_sidecar(path, document)
