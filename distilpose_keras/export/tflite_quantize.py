"""Post-training quantization of TFLite graphs, operator by operator.

`selective` follows what phones' CPUs run fast and accurately: operators on feature
maps in static int8, linear maps with int8 weights and activations quantized per row
as they come, everything else (normalisation, softmax, attention products) in float32.
`integer` leaves no operator in floating point.
"""

import contextlib
import io
import re
import warnings

import numpy as np

from distilpose_keras.export.precision import DYNAMIC, FLOAT, INT8, INT16, Operator
from distilpose_keras.export.tflite_file import pack_model, read_model

# Operators that read and write feature maps (batch, height, width, channels).
FEATURE_MAP_OPERATORS = frozenset(
    {
        "CONV_2D",
        "DEPTHWISE_CONV_2D",
        "ADD",
        "PAD",
        "MAX_POOL_2D",
        "RESIZE_NEAREST_NEIGHBOR",
    }
)
WEIGHTED_OPERATORS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"})
# Operators of layer-norms and of the residual stream, whose values span orders of
# magnitude that 8 bits do not.
WIDE_OPERATORS = frozenset({"MUL", "MEAN", "RSQRT", "ADD"})


def operators(content):
    """List the operators of a TFLite graph, in the order they run."""
    from ai_edge_litert import schema_py_generated as schema

    kinds = {v: k for k, v in vars(schema.BuiltinOperator).items() if k[0] != "_"}
    model = read_model(content)
    graph = model.subgraphs[0]
    codes = [max(c.builtinCode, c.deprecatedBuiltinCode) for c in model.operatorCodes]
    tensors = graph.tensors
    return [
        Operator(
            name=tensors[op.outputs[0]].name.decode(),
            kind=kinds[codes[op.opcodeIndex]],
            rank=_rank(tensors[op.outputs[0]]),
            weighted=len(op.inputs) > 1
            and model.buffers[tensors[op.inputs[1]].buffer].data is not None,
        )
        for op in graph.operators
    ]


def _rank(tensor):
    return 0 if tensor.shape is None else len(tensor.shape)


def selective(content):
    """Choose int8 where it is fast and accurate: dict of `Operator` to precision."""
    return {operator: _selective_precision(operator) for operator in operators(content)}


def _selective_precision(operator):
    if operator.kind in FEATURE_MAP_OPERATORS and operator.rank == 4:
        return INT8
    return DYNAMIC if operator.kind == "FULLY_CONNECTED" else FLOAT


def integer(content):
    """Choose integers for all operators: dict of `Operator` to precision."""
    return {
        operator: INT16 if operator.kind in WIDE_OPERATORS else INT8
        for operator in operators(content)
    }


def squares_as_products(content):
    """Write x^2 as x * x in a TFLite file: the quantizer knows no SQUARE."""
    from ai_edge_litert import schema_py_generated as schema

    model = read_model(content)
    code = schema.BuiltinOperator
    codes = [max(c.builtinCode, c.deprecatedBuiltinCode) for c in model.operatorCodes]
    for op in model.subgraphs[0].operators:
        if codes[op.opcodeIndex] == code.SQUARE:
            op.opcodeIndex = codes.index(code.MUL)
            op.inputs = np.repeat(op.inputs[:1], 2)
            op.builtinOptionsType = schema.BuiltinOptions.MulOptions
            op.builtinOptions = schema.MulOptionsT()
    return pack_model(model)


def quantize(content, precisions, ranges, *, integer_interface=False):
    """Quantize a float32 TFLite file.

    Args:
        content: bytes of the file.
        precisions: dict of `Operator` to its precision, for all operators.
        ranges: dict of tensor name to (low, high), from `activation_ranges`.
        integer_interface: whether input and outputs are int8 too.

    Returns:
        bytes of the quantized file.
    """
    from ai_edge_quantizer import qtyping, quantizer

    tool = quantizer.Quantizer(bytearray(content))
    if integer_interface:
        for end in (qtyping.TFLOperationName.INPUT, qtyping.TFLOperationName.OUTPUT):
            tool.add_static_config(".*", end, activation_num_bits=8, weight_num_bits=8)
    for operator, precision in precisions.items():
        if precision == FLOAT:
            continue
        scope = f"^{re.escape(operator.name)};?$"
        kind = qtyping.TFLOperationName(operator.kind)
        if precision == DYNAMIC:
            tool.add_dynamic_config(scope, kind, num_bits=8)
        else:
            bits = 16 if precision == INT16 else 8
            tool.add_static_config(
                scope, kind, activation_num_bits=bits, weight_num_bits=8
            )
    if not tool.get_quantization_recipe():
        return content
    statistics = _to_statistics(content, ranges) if tool.need_calibration else None
    return _run(tool, statistics)


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


def _to_statistics(content, ranges):
    """Ranges in the form of the quantizer's own calibration."""
    ranks = {
        tensor.name.decode(): _rank(tensor)
        for tensor in read_model(content).subgraphs[0].tensors
    }
    return {
        name: {
            "min": np.full((1,) * ranks[name], low, np.float32),
            "max": np.full((1,) * ranks[name], high, np.float32),
        }
        for name, (low, high) in ranges.items()
    }
