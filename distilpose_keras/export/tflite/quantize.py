"""Post-training quantization of TFLite graphs, operator by operator.

`selective` follows what phones' CPUs run fast and accurately: convolutions and the
operators between them in static int8, linear maps with int8 weights and activations
quantized per row as they come, everything else (normalisation, softmax, attention
products) in float32. `distilpose_keras.export.integers` leaves no operator in it.
"""

import contextlib
import io
import re
import warnings
from collections import defaultdict

import numpy as np

from distilpose_keras.export.precision import DYNAMIC, FLOAT, INT8, INT16
from distilpose_keras.export.tflite.graph import constant, kinds, operators, ranks
from distilpose_keras.formats.tflite_file import pack_model, read_model

# Operators on feature maps (batch, height, width, channels) that int8 kernels have.
BETWEEN_CONVOLUTIONS = frozenset(
    {"ADD", "PAD", "MAX_POOL_2D", "RESIZE_NEAREST_NEIGHBOR"}
)
# An int8 kernel works on so many channels at a time: for fewer it gains nothing.
CHANNELS_AT_A_TIME = 8
# Their output has the scale of their input.
SAME_SCALE = frozenset(
    {
        "MAX_POOL_2D",
        "PAD",
        "RESHAPE",
        "RESIZE_NEAREST_NEIGHBOR",
        "STRIDED_SLICE",
        "TRANSPOSE",
    }
)
# A sum's range as a fraction of its summands'. LiteRT's int16 addition aborts the
# process where it is below 2^-14.
SMALLEST_SUM = 2.0**-13
WEIGHTED_OPERATORS = frozenset({"CONV_2D", "FULLY_CONNECTED"})


def selective(content):
    """Choose int8 where it is fast and accurate: dict of `Operator` to precision.

    A convolution of the image and a linear map to the outputs stay float32: their few
    channels gain nothing; so does what decodes. A convolution whose output leaves
    the feature maps is dynamic: its output is not rounded.
    """
    model = read_model(content)
    found = operators(content)
    by_name = {operator.name: operator for operator in found}
    neighbours = _neighbours(model, by_name)
    chosen = dict.fromkeys(found, FLOAT)
    for op, operator in zip(model.subgraphs[0].operators, found, strict=True):
        if operator.decodes:
            continue
        if operator.kind == "FULLY_CONNECTED":
            outputs = len(constant(model, op.inputs[1]))
            chosen[operator] = DYNAMIC if outputs >= CHANNELS_AT_A_TIME else FLOAT
        elif operator.kind == "CONV_2D":
            channels = constant(model, op.inputs[1]).shape[-1]
            leaves = not any(
                reader.kind in BETWEEN_CONVOLUTIONS | {"CONV_2D"}
                for reader in neighbours[operator]["readers"]
            )
            if channels >= CHANNELS_AT_A_TIME:
                chosen[operator] = DYNAMIC if leaves else INT8
    _spread_int8(chosen, neighbours)
    return chosen


def _neighbours(model, by_name):
    """For each operator those that make what it reads and read what it makes."""
    graph = model.subgraphs[0]
    found = {op: {"makers": [], "readers": []} for op in by_name.values()}
    for op in graph.operators:
        reader = by_name[graph.tensors[op.outputs[0]].name.decode()]
        for index in op.inputs:
            maker = by_name.get(graph.tensors[index].name.decode())
            if maker is not None:
                found[maker]["readers"].append(reader)
                found[reader]["makers"].append(maker)
    return found


def _spread_int8(chosen, neighbours):
    """Compute in int8 what lies between int8 operators and others, until no more."""
    waiting = [
        operator
        for operator in chosen
        if operator.kind in BETWEEN_CONVOLUTIONS and operator.rank == 4
    ]
    spread = True
    while spread:
        around = {
            operator: neighbours[operator]["makers"] + neighbours[operator]["readers"]
            for operator in waiting
            if chosen[operator] != INT8
        }
        spread = [op for op, near in around.items() if INT8 in map(chosen.get, near)]
        chosen.update(dict.fromkeys(spread, INT8))


def quantize(content, precisions, ranges, rounded=None, *, integer_interface=False):
    """Quantize a float32 TFLite file.

    Args:
        content: bytes of the file.
        precisions: dict of `Operator` to its precision, for all operators.
        ranges: dict of tensor name to (low, high).
        rounded: dict of the name of weights to int8 (out, K), where others are wanted
            than the nearest; or None.
        integer_interface: whether input and outputs are int8 too.

    Returns:
        bytes of the quantized file.
    """
    from ai_edge_quantizer import qtyping, quantizer

    tool = quantizer.Quantizer(bytearray(content))
    if integer_interface:
        for end in (qtyping.TFLOperationName.INPUT, qtyping.TFLOperationName.OUTPUT):
            tool.add_static_config(".*", end, activation_num_bits=8, weight_num_bits=8)
    for (kind, precision), scope in _scopes(precisions).items():
        kind = qtyping.TFLOperationName(kind)
        if precision == DYNAMIC:
            tool.add_dynamic_config(scope, kind, num_bits=8)
        else:
            bits = 16 if precision == INT16 else 8
            tool.add_static_config(
                scope, kind, activation_num_bits=bits, weight_num_bits=8
            )
    if not tool.get_quantization_recipe():
        return content
    statistics = None
    if tool.need_calibration:
        ranges = _addable(content, _not_zero(ranges))
        statistics = _as_calibration(content, ranges)
    return _replace_weights(_run(tool, statistics), rounded or {})


def _scopes(precisions):
    """Regular expressions of the names of operators by their kind and precision.

    One for all of them: the quantizer tries every expression on every operator.
    """
    names = defaultdict(list)
    for operator, precision in precisions.items():
        if precision != FLOAT:
            names[operator.kind, precision].append(re.escape(operator.name))
    return {key: f"^(?:{'|'.join(found)});?$" for key, found in names.items()}


def _not_zero(ranges):
    """Give what is always zero a range: XNNPACK opens no file with a scale of zero."""
    return {
        name: (0.0, 1.0) if low == high == 0 else (low, high)
        for name, (low, high) in ranges.items()
    }


def _addable(content, ranges):
    """Widen the ranges of sums that are too small beside those of their summands."""
    model = read_model(content)
    graph = model.subgraphs[0]
    names = [tensor.name.decode() for tensor in graph.tensors]
    extents = {name: max(-low, high) for name, (low, high) in ranges.items()}
    ranges = dict(ranges)
    for op, kind in zip(graph.operators, kinds(model), strict=True):
        name = names[op.outputs[0]]
        inputs = [extents.get(names[i], 0.0) for i in op.inputs if i >= 0]
        if kind in SAME_SCALE:
            extents[name] = inputs[0]
        elif kind == "ADD" and extents.get(name, 0.0) < SMALLEST_SUM * max(inputs):
            extents[name] = SMALLEST_SUM * max(inputs)
            ranges[name] = (-extents[name], extents[name])
    return ranges


def _as_calibration(content, ranges):
    """Ranges in the form of the quantizer's own calibration."""
    axes = ranks(content)
    return {
        name: {
            "min": np.full((1,) * axes[name], low, np.float32),
            "max": np.full((1,) * axes[name], high, np.float32),
        }
        for name, (low, high) in ranges.items()
    }


def _replace_weights(content, rounded):
    """Put other int8 weights into a quantized file; their scales stay."""
    from ai_edge_litert import schema_py_generated as schema

    model = read_model(content)
    for tensor in model.subgraphs[0].tensors:
        steps = rounded.get(tensor.name.decode())
        if steps is not None and tensor.type == schema.TensorType.INT8:
            model.buffers[tensor.buffer].data = steps.view(np.uint8).ravel()
    return pack_model(model)


def float16_weights(content):
    """Store the weights of a float32 TFLite file as float16."""
    from ai_edge_quantizer import qtyping, quantizer

    tool = quantizer.Quantizer(bytearray(content))
    config = qtyping.OpQuantizationConfig(
        weight_tensor_config=qtyping.TensorQuantizationConfig(
            num_bits=16, dtype=qtyping.TensorDataType.FLOAT
        ),
        compute_precision=qtyping.ComputePrecision.FLOAT,
        explicit_dequantize=True,
    )
    present = {operator.kind for operator in operators(content)}
    for kind in sorted(present & WEIGHTED_OPERATORS):
        tool.update_quantization_recipe(
            ".*",
            qtyping.TFLOperationName(kind),
            config,
            quantizer.AlgorithmName.FLOAT_CASTING,
        )
    return _run(tool)


def _run(tool, statistics=None):
    """Run the quantizer without its progress bars and warnings."""
    with (
        contextlib.redirect_stderr(io.StringIO()),
        warnings.catch_warnings(action="ignore"),
    ):
        result = tool.quantize(
            statistics, enable_progress_bar=False, enable_progress_report=False
        )
    return bytes(result.quantized_model)
