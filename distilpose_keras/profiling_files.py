"""Multiply-accumulates of exported files, counted on the graph in the file.

Norms and ReLUs are folded or fused there, so the papers' count is that of convolutions
and linear maps alone.
"""

import math
from pathlib import Path

from distilpose_keras.profiling import Counts, Profile

# ONNX products: where the weights are among the inputs, and the data.
ONNX_PRODUCTS = {
    "Conv": (0, 1),
    "ConvInteger": (0, 1),
    "QLinearConv": (0, 3),
    "Gemm": (0, 1),
    "QGemm": (0, 3),
    "MatMul": (0, 1),
    "MatMulInteger": (0, 1),
    "QLinearMatMul": (0, 3),
}
# Inputs of ONNX operators that are scales and zero points, not weights.
ONNX_WEIGHT_INPUTS = {
    "QuantizeLinear": (0,),
    "DequantizeLinear": (0,),
    "QLinearConv": (0, 3, 8),
    "QGemm": (0, 3, 6),
    "QLinearMatMul": (0, 3),
    "ConvInteger": (0, 1),
    "MatMulInteger": (0, 1),
}
FORWARDING = ("DequantizeLinear", "QuantizeLinear", "Transpose", "Cast", "Identity")


def profile_file(path):
    """Profile an exported ``.tflite`` or ``.onnx`` file.

    Raises:
        ValueError: one line, if the file is missing or unreadable.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"no such model file: {path}")
    reader = _profile_tflite if path.suffix == ".tflite" else _profile_onnx
    counts, parameters, outputs = reader(path)
    return Profile(
        model=path.name,
        trainable_params=None,
        total_params=parameters,
        gmacs=counts.gmacs,
        gflops_paper=counts.gflops_paper,
        outputs=outputs,
    )


def _profile_tflite(path):
    """Counts, parameters and outputs of a TFLite file."""
    from ai_edge_litert.schema_py_generated import BuiltinOperator, TensorType

    from distilpose_keras.export.tflite_file import read_model

    try:
        model = read_model(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    graph = model.subgraphs[0]
    names = {v: k for k, v in vars(BuiltinOperator).items() if isinstance(v, int)}
    counts, weights = Counts(), set()
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex]
        kind = names[max(code.builtinCode, code.deprecatedBuiltinCode)]
        inputs = [graph.tensors[i] for i in operator.inputs if i >= 0]
        output = graph.tensors[operator.outputs[0]]
        _count_tflite(kind, inputs, output, operator.builtinOptions, counts)
        if kind not in ("RESHAPE", "TRANSPOSE", "PAD", "STRIDED_SLICE", "MEAN"):
            weights.update(int(i) for i in operator.inputs if i >= 0)
    parameters = sum(
        math.prod(graph.tensors[i].shape)
        for i in weights
        if model.buffers[graph.tensors[i].buffer].data is not None
        and graph.tensors[i].type != TensorType.BOOL
    )
    outputs = {
        graph.tensors[i].name.decode(): [int(s) for s in graph.tensors[i].shape]
        for i in graph.outputs
    }
    return counts, int(parameters), dict(sorted(outputs.items()))


def _count_tflite(kind, inputs, output, options, counts):
    """Add the products of one TFLite operator."""
    outputs = math.prod(output.shape.tolist())
    if kind in ("CONV_2D", "FULLY_CONNECTED"):  # weights (out, ..., in)
        counts.linear += outputs * math.prod(inputs[1].shape.tolist()[1:])
    elif kind == "DEPTHWISE_CONV_2D":  # weights (1, height, width, out)
        counts.linear += outputs * math.prod(inputs[1].shape.tolist()[1:3])
    elif kind == "BATCH_MATMUL":
        counts.attention += outputs * int(inputs[0].shape[-2 if options.adjX else -1])


def _profile_onnx(path):
    """Counts, parameters and outputs of an ONNX file."""
    import onnx

    try:
        model = onnx.load(path)
        for value in model.graph.input:
            value.type.tensor_type.shape.dim[0].dim_value = 1
        model = onnx.shape_inference.infer_shapes(
            model, strict_mode=True, data_prop=True
        )
    except Exception as error:  # protobuf and onnx share no narrower base class
        reason = str(error).strip().split("\n")[0]
        raise ValueError(f"not a readable ONNX file: {path} ({reason})") from error
    graph = model.graph
    shapes = {
        value.name: [d.dim_value for d in value.type.tensor_type.shape.dim]
        for value in (*graph.value_info, *graph.input, *graph.output)
    }
    sizes = {t.name: math.prod(t.dims) for t in graph.initializer}
    shapes.update({t.name: list(t.dims) for t in graph.initializer})
    integers = {t.name for t in graph.initializer if t.data_type == t.INT64}
    constant, weights, counts = set(sizes), set(), Counts()
    for node in graph.node:
        if node.op_type in FORWARDING and node.input[0] in constant:
            constant.update(node.output)
        _count_onnx(node, shapes, constant, counts)
        places = ONNX_WEIGHT_INPUTS.get(node.op_type, range(len(node.input)))
        weights.update(node.input[i] for i in places if i < len(node.input))
    outputs = {value.name: shapes[value.name] for value in graph.output}
    parameters = sum(sizes[name] for name in (weights & set(sizes)) - integers)
    return counts, parameters, dict(sorted(outputs.items()))


def _count_onnx(node, shapes, constant, counts):
    """Add the products of one ONNX node."""
    if node.op_type not in ONNX_PRODUCTS:
        return
    data, weights = (node.input[i] for i in ONNX_PRODUCTS[node.op_type])
    outputs = math.prod(shapes[node.output[0]])
    if "Conv" in node.op_type:
        counts.linear += outputs * math.prod(shapes[weights][1:])
    elif data in constant or weights in constant:
        transposed = any(a.name == "transB" and a.i for a in node.attribute)
        counts.linear += outputs * shapes[weights][1 if transposed else -2]
    else:
        counts.attention += outputs * shapes[data][-1]
