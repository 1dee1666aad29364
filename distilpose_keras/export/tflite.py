"""Students as TFLite files."""

from distilpose_keras.export import tflite_quantize
from distilpose_keras.export.calibration import check_crops
from distilpose_keras.export.convert import check_student, float_tflite
from distilpose_keras.export.metadata import describe, write_sidecar
from distilpose_keras.export.ranges import activation_ranges
from distilpose_keras.export.reproduce import check_reproduces
from distilpose_keras.export.tflite_file import embed, name_inputs_and_outputs
from distilpose_keras.files import atomic_path

PRECISIONS = ("float32", "float16", "int8", "int8-full")


def export_tflite(model, path, *, precision="float32", calibration=None):
    """Write a student as a TFLite file of batch 1, and its metadata beside it.

    The input `image` takes RGB 0..255, the outputs are `keypoints` (1, K, 2) and
    `scores` (1, K, 1). All operators are built in. The file appears under its name
    only after LiteRT has run it and reproduced the model's outputs.

    ``float16`` stores weights in half the space and computes in float32 (or in
    float16 on devices that can). ``int8`` computes convolutions and linear maps in
    int8 and the rest in float32; its input and outputs are float32. In ``int8-full``
    every operator, the input and the outputs are integer.

    Args:
        model: a student `PoseModel`, trained on any backend.
        path: the file to write.
        precision: one of `PRECISIONS`.
        calibration: (N, H, W, 3) uint8 RGB crops, N at least 16, for the int8
            precisions; `distilpose_keras.export.calibration` draws them.

    Raises:
        ValueError: if the model is not a student, the precision is unknown, or the
            calibration is missing or unfit.
        ExportError: (a ValueError) if the file does not reproduce the model.
        OSError: if the file cannot be written; nothing is left under its name.
    """
    check_student(model)
    if precision not in PRECISIONS:
        raise ValueError(
            f"precision must be one of {', '.join(PRECISIONS)}. Received: {precision!r}"
        )
    if precision.startswith("int8"):
        check_crops(calibration, model)
    content = float_tflite(model)
    if precision == "float16":
        content = tflite_quantize.float16_weights(content)
    elif precision == "int8":
        content = tflite_quantize.quantize(
            content,
            tflite_quantize.selective(content),
            activation_ranges(content, calibration),
        )
    elif precision == "int8-full":
        content = tflite_quantize.squares_as_products(content)
        content = tflite_quantize.quantize(
            content,
            tflite_quantize.integer(content),
            activation_ranges(content, calibration),
            integer_interface=True,
        )
    write_tflite(content, model, path, precision, calibration)


def write_tflite(content, model, path, precision, crops=None):
    """Finish a converted file: names, metadata, check, write.

    Args:
        content: bytes of the converted ``.tflite``.
        model: the student it was made of.
        path: the file to write.
        precision: one of `PRECISIONS`.
        crops: uint8 crops for the check, or None.
    """
    document = describe(model, runtime="tflite", precision=precision)
    content = embed(name_inputs_and_outputs(content), document)
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
        check_reproduces(temporary, model, precision, crops)
    write_sidecar(path, document)
