"""Multiply-accumulates of exported files, product by product of the graph in the file.

Norms and ReLUs are folded or fused there, so the papers' count is that of convolutions
and linear maps alone.
"""

import math
from pathlib import Path
from typing import NamedTuple

from distilpose_keras.profiling.counts import Counts, Profile

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


class Product(NamedTuple):
    """Matrix products of one operator: (rows, depth) by (depth, columns).

    A convolution is the product of what its kernel sees at each position.

    Attributes:
        count: how many of them.
        rows: of the first factor.
        depth: of the sum.
        columns: of the second factor.
        weighted: whether one factor is constant.
    """

    count: int
    rows: int
    depth: int
    columns: int
    weighted: bool

    @property
    def macs(self):
        """Multiply-accumulates."""
        return self.count * self.rows * self.depth * self.columns


def file_products(path):
    """List the matrix products of a ``.tflite`` or ``.onnx`` file for one image.

    Raises:
        ValueError: one line, if the file is missing or unreadable.
    """
    return _read(path)[0]


def profile_file(path):
    """Profile an exported ``.tflite`` or ``.onnx`` file.

    Raises:
        ValueError: one line, if the file is missing or unreadable.
    """
    products, parameters, outputs = _read(path)
    counts, path = Counts(), Path(path)
    for product in products:
        if product.weighted:
            counts.linear += product.macs
        else:
            counts.attention += product.macs
    return Profile(
        model=path.name,
        trainable_params=None,
        total_params=parameters,
        gmacs=counts.gmacs,
        gflops_paper=counts.gflops_paper,
        outputs=outputs,
    )


def _read(path):
    """Products, parameters and outputs of a file."""
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"no such model file: {path}")
    return (_read_tflite if path.suffix == ".tflite" else _read_onnx)(path)


def _read_tflite(path):
    """Products, parameters and outputs of a TFLite file."""
    from ai_edge_litert.schema_py_generated import BuiltinOperator, TensorType

    from distilpose_keras.formats.tflite_file import read_model

    try:
        model = read_model(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    graph = model.subgraphs[0]
    names = {v: k for k, v in vars(BuiltinOperator).items() if isinstance(v, int)}
    products, weights = [], set()
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex]
        kind = names[max(code.builtinCode, code.deprecatedBuiltinCode)]
        inputs = [graph.tensors[i] for i in operator.inputs if i >= 0]
        output = graph.tensors[operator.outputs[0]]
        products += _products_tflite(kind, inputs, output, operator.builtinOptions)
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
    return products, int(parameters), dict(sorted(outputs.items()))


def _products_tflite(kind, inputs, output, options):
    """The products of one TFLite operator."""
    *leading, columns = output.shape.tolist()
    if kind in ("CONV_2D", "FULLY_CONNECTED"):  # weights (out, ..., in)
        depth = math.prod(inputs[1].shape.tolist()[1:])
        return [Product(1, math.prod(leading), depth, columns, True)]
    if kind == "DEPTHWISE_CONV_2D":  # weights (1, height, width, out)
        depth = math.prod(inputs[1].shape.tolist()[1:3])
        return [Product(columns, math.prod(leading), depth, 1, True)]
    if kind == "BATCH_MATMUL":
        *batch, rows = leading
        depth = int(inputs[0].shape[-2 if options.adjX else -1])
        return [Product(math.prod(batch), rows, depth, columns, False)]
    return []


def _read_onnx(path):
    """Products, parameters and outputs of an ONNX file."""
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
    constant, weights, products = set(sizes), set(), []
    for node in graph.node:
        if node.op_type in FORWARDING and node.input[0] in constant:
            constant.update(node.output)
        products += _products_onnx(node, shapes, constant)
        places = ONNX_WEIGHT_INPUTS.get(node.op_type, range(len(node.input)))
        weights.update(node.input[i] for i in places if i < len(node.input))
    outputs = {value.name: shapes[value.name] for value in graph.output}
    parameters = sum(sizes[name] for name in (weights & set(sizes)) - integers)
    return products, parameters, dict(sorted(outputs.items()))


def _products_onnx(node, shapes, constant):
    """The products of one ONNX node."""
    if node.op_type not in ONNX_PRODUCTS:
        return []
    data, weights = (node.input[i] for i in ONNX_PRODUCTS[node.op_type])
    output = shapes[node.output[0]]
    if "Conv" in node.op_type:  # weights (out, in / groups, height, width)
        groups = next((a.i for a in node.attribute if a.name == "group"), 1)
        batch, channels, *size = output
        depth = math.prod(shapes[weights][1:])
        rows = batch * math.prod(size)
        return [Product(groups, rows, depth, channels // groups, True)]
    *batch, rows, columns = output
    if data not in constant and weights not in constant:
        return [Product(math.prod(batch), rows, shapes[data][-1], columns, False)]
    transposed = any(a.name == "transB" and a.i for a in node.attribute)
    depth = shapes[weights][1 if transposed else -2]
    if len(shapes[weights]) == 2:  # the same for all of the batch
        return [Product(1, math.prod(batch) * rows, depth, columns, True)]
    return [Product(math.prod(batch), rows, depth, columns, True)]
