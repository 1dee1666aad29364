"""Fake-quantized students as integer TFLite files.

The converter writes a fake-quantization as a pair of operators, QUANTIZE and
DEQUANTIZE, that carries its range. The pairs are taken out of the float file, and the
ranges they carried are what it is quantized with: those of training.
"""

from typing import TYPE_CHECKING

import numpy as np

from distilpose_keras.export.convert import convert_once, graph_to_tflite
from distilpose_keras.export.integers import integer_plan
from distilpose_keras.export.quantizers import finish_tflite
from distilpose_keras.export.reproduce import write_checked
from distilpose_keras.export.tflite.graph import kinds, squares_as_products
from distilpose_keras.export.tflite.quantize import SAME_SCALE, quantize
from distilpose_keras.formats.tflite_file import pack_model, read_model
from distilpose_keras.quantization.graph import with_float_kernels
from distilpose_keras.types import FilePath

if TYPE_CHECKING:
    from distilpose_keras.quantization.student import QuantizedStudent

PRECISIONS = ("int8-full", "float32")


def export_quantized(
    student: "QuantizedStudent",
    path: FilePath,
    crops: np.ndarray | None = None,
    *,
    precision: str = "int8-full",
) -> None:
    """Write a fake-quantized student as a TFLite file.

    The ``int8-full`` file is one of `export_tflite`, with the
    same operators, inputs and outputs; nothing is calibrated. The
    ``float32`` file has the student's weights as they are before rounding: it tells
    what its training is worth without it.

    Args:
        student: a `QuantizedStudent`.
        path: the file to write.
        crops: uint8 RGB crops on which the file is compared with the student; smooth
            noise by default.
        precision: ``"int8-full"`` or ``"float32"``.

    Raises:
        ValueError: if the precision is another.
        ExportError: (a ValueError) if the file does not reproduce the student.
        OSError: if the file cannot be written; nothing is left under its name.
    """
    if precision not in PRECISIONS:
        raise ValueError(
            f"precision must be one of {', '.join(PRECISIONS)}. Received: {precision!r}"
        )
    content = convert_once("fake-quantized", student, _to_tflite)
    content, ranges = take_out_fake_quantization(squares_as_products(content))
    if precision == "int8-full":
        content = quantize(
            content,
            integer_plan(content),
            spread_ranges(content, ranges),
            integer_interface=True,
        )
    content = finish_tflite(content, student, precision)
    # The student rounds: a file that does not differs from it as one that does.
    write_checked(content, path, student, "int8-full", crops)


def _to_tflite(student):
    return graph_to_tflite(with_float_kernels(student.deployed))


def take_out_fake_quantization(
    content: bytes,
) -> tuple[bytes, dict[str, tuple[float, float]]]:
    """Remove the pairs of QUANTIZE and DEQUANTIZE from a float TFLite file.

    Args:
        content: bytes of the file.

    Returns:
        bytes of the file without them, and a dict of (low, high) by tensor name. The
        range of a tensor that was rounded twice is that of the second rounding.
    """
    model = read_model(content)
    graph = model.subgraphs[0]
    rounded, ranges, kept = {}, {}, []
    for operator, kind in zip(graph.operators, kinds(model), strict=True):
        operator.inputs = _renamed(operator.inputs, rounded)
        if kind == "QUANTIZE":
            source, stored = operator.inputs[0], operator.outputs[0]
            rounded[stored] = source
            name = graph.tensors[source].name.decode()
            ranges[name] = _range(graph.tensors[stored])
        elif kind == "DEQUANTIZE":
            rounded[operator.outputs[0]] = operator.inputs[0]
        else:
            kept.append(operator)
    graph.operators = kept
    graph.outputs = _renamed(graph.outputs, rounded)
    for output in model.signatureDefs[0].outputs:
        output.tensorIndex = rounded.get(output.tensorIndex, output.tensorIndex)
    _drop_unused_tensors(model)
    return pack_model(model), ranges


def _renamed(indices, rounded):
    return np.array([rounded.get(index, index) for index in indices], np.int32)


def _range(tensor):
    """Smallest and largest value of a quantized tensor: uint8 or uint16."""
    from ai_edge_litert import schema_py_generated as schema

    steps = {schema.TensorType.UINT8: 255, schema.TensorType.UINT16: 65535}
    scale = float(tensor.quantization.scale[0])
    zero_point = int(tensor.quantization.zeroPoint[0])
    return -scale * zero_point, scale * (steps[tensor.type] - zero_point)


def _drop_unused_tensors(model):
    """Remove the tensors that no operator of the graph reads or writes."""
    graph, signature = model.subgraphs[0], model.signatureDefs[0]
    used = {*map(int, graph.inputs), *map(int, graph.outputs)}
    for operator in graph.operators:
        used |= {int(i) for i in (*operator.inputs, *operator.outputs)} - {-1}
    new = {-1: -1} | {old: i for i, old in enumerate(sorted(used))}
    graph.tensors = [graph.tensors[old] for old in sorted(used)]
    graph.inputs = _renamed(graph.inputs, new)
    graph.outputs = _renamed(graph.outputs, new)
    for operator in graph.operators:
        operator.inputs = _renamed(operator.inputs, new)
        operator.outputs = _renamed(operator.outputs, new)
    for end in (*signature.inputs, *signature.outputs):
        end.tensorIndex = new[end.tensorIndex]


def spread_ranges(
    content: bytes, ranges: dict[str, tuple[float, float]]
) -> dict[str, tuple[float, float]]:
    """Give the ranges of rounded tensors to those that hold the same values.

    Args:
        content: bytes of a float TFLite file.
        ranges: dict of (low, high) by tensor name.

    Returns:
        The dict with more entries: the converter moves reshapes in front of a
        rounding, and padding writes what it reads.
    """
    model = read_model(content)
    graph = model.subgraphs[0]
    pairs = [
        tuple(graph.tensors[i].name.decode() for i in (op.inputs[0], op.outputs[0]))
        for op, kind in zip(graph.operators, kinds(model), strict=True)
        if kind in SAME_SCALE
    ]
    ranges = dict(ranges)
    for source, moved in reversed(pairs):
        if moved in ranges:
            ranges.setdefault(source, ranges[moved])
    for source, moved in pairs:
        if source in ranges:
            ranges.setdefault(moved, ranges[source])
    return ranges
