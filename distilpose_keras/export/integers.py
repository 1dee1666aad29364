"""Integers for every operator: which compute in 16 bits, and with which ranges."""

from distilpose_keras.export.precision import INT8, INT16
from distilpose_keras.export.tflite.graph import kinds, operators
from distilpose_keras.formats.tflite_file import read_model

# Operators of layer-norms and of the residual stream, and those that pass it on: values
# that span orders of magnitude, which 8 bits do not.
WIDE_OPERATORS = frozenset(
    {"ADD", "CONCATENATION", "MEAN", "MUL", "RSQRT", "STRIDED_SLICE"}
)
# 16 bits are enough for twice the range that was seen.
WIDE_MARGIN = 2.0
IMAGE_RANGE = (0.0, 255.0)
# TFLite's int16 functions of one variable are tables with an entry for every 128 steps,
# interpolated.
_TABLE_STEP = 128 / 2**15


def integer_plan(content):
    """Choose integers for all operators: dict of `Operator` to precision.

    Args:
        content: bytes of a float32 TFLite file.
    """
    return {
        operator: INT16 if operator.kind in WIDE_OPERATORS else INT8
        for operator in operators(content)
    }


def planned_ranges(content, plan, seen):
    """Choose the range of each activation by its precision.

    Eight bits are spent on usual values, 16 are enough for all and more.

    Args:
        content: bytes of a float32 TFLite file.
        plan: dict of `Operator` to precision, for all operators.
        seen: dict of tensor name to `statistics.Range`.

    Returns:
        dict of tensor name to (low, high).
    """
    model = read_model(content)
    graph = model.subgraphs[0]
    names = [tensor.name.decode() for tensor in graph.tensors]
    precisions = {operator.name: precision for operator, precision in plan.items()}
    narrow = {names[index] for index in graph.outputs}
    for op in graph.operators:
        if precisions[names[op.outputs[0]]] != INT16:
            narrow |= {names[index] for index in op.inputs if index >= 0}
    ranges = {
        name: _wide(found)
        if precisions.get(name) == INT16 and name not in narrow
        else (found.low, found.high)
        for name, found in seen.items()
    }
    ranges[names[graph.inputs[0]]] = IMAGE_RANGE
    for op, kind in zip(graph.operators, kinds(model), strict=True):
        source, name = names[op.inputs[0]], names[op.outputs[0]]
        if kind == "RSQRT" and precisions[name] == INT16:
            ranges[name] = (0.0, largest_inverse(ranges[source][1]))
    for index in _second_factors(model):
        ranges[names[index]] = symmetric_range(*ranges[names[index]])
    return ranges


def _second_factors(model):
    """What products of activations read second, and what that is a transpose of.

    XNNPACK only computes products whose second factor has the zero point 0;
    TFLite's own kernels take some forty times as long. Constants have no range.
    """
    graph = model.subgraphs[0]
    pairs = list(zip(graph.operators, kinds(model), strict=True))
    makers = {op.outputs[0]: (op, kind) for op, kind in pairs}
    found = [op.inputs[1] for op, kind in pairs if kind == "BATCH_MATMUL"]
    found = [index for index in found if index in makers]
    for index in found:
        maker, kind = makers[index]
        if maker.inputs[0] in makers and kind in ("RESHAPE", "TRANSPOSE"):
            found.append(maker.inputs[0])
    return found


def symmetric_range(low, high):
    """Return the range around (low, high) whose zero is the step 0 of int8."""
    largest = max(-low, high)
    return -largest * 128 / 127, largest


def _wide(found):
    return WIDE_MARGIN * found.lowest, WIDE_MARGIN * found.highest


def largest_inverse(largest):
    """Where to cut TFLite's int16 inverse square root.

    At twice its value at the first entry of its table that is not infinite: then no
    inverse comes out too large and those of small inputs too small.

    Args:
        largest: end of the input's range.
    """
    return 2 * (largest * _TABLE_STEP) ** -0.5
