"""Multiply-accumulates of exported graphs, counted from the shapes in the files."""

from math import prod
from pathlib import Path


def count_macs(path):
    """Count the multiply-accumulates of one crop.

    Counted are convolutions and matrix products, those of attention among them.

    Args:
        path: a ``.tflite`` or ``.onnx`` file.
    """
    return (_tflite if Path(path).suffix == ".tflite" else _onnx)(path)


def _tflite(path):
    from distilpose_keras.export.tflite_file import read_model
    from distilpose_keras.export.tflite_graph import operators

    content = Path(path).read_bytes()
    graph = read_model(content).subgraphs[0]
    # Python integers: these products overflow 32 bits.
    shapes = [[] if t.shape is None else t.shape.tolist() for t in graph.tensors]
    total = 0
    for op, operator in zip(graph.operators, operators(content), strict=True):
        output = shapes[op.outputs[0]]
        if operator.kind in ("CONV_2D", "FULLY_CONNECTED"):
            total += prod(output) * prod(shapes[op.inputs[1]][1:])
        elif operator.kind == "DEPTHWISE_CONV_2D":
            total += prod(output) * prod(shapes[op.inputs[1]][1:3])
        elif operator.kind == "BATCH_MATMUL":
            transposed = op.builtinOptions.adjX
            total += prod(output) * shapes[op.inputs[0]][-2 if transposed else -1]
    return total


def _onnx(path):
    import onnx

    proto = onnx.load(path)
    proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    graph = onnx.shape_inference.infer_shapes(proto, data_prop=True).graph
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*graph.input, *graph.value_info, *graph.output)
    }
    shapes |= {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    total = 0
    for node in graph.node:
        output = shapes.get(node.output[0])
        if node.op_type == "Conv":
            total += prod(output) * prod(shapes[node.input[1]][1:])
        elif node.op_type in ("MatMul", "MatMulInteger"):
            total += prod(output) * shapes[node.input[0]][-1]
    return total
