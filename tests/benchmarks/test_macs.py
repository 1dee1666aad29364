"""Multiply-accumulates of files, counted by hand."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from distilpose_keras.benchmarks.macs import count_macs
from tests.export.bare import depthwise_and_product


def demo_macs():
    """Of a deployed demo student, layer by layer."""
    stem = 32 * 24 * 9 * 3 * 16 + 16 * 12 * 9 * 16 * 16
    block = 16 * 16 + 9 * 16 * 16 + 16 * 64 + 16 * 64  # with its shortcut
    d, k, n = 64, 17, 17 + 16
    patches = 16 * (4 * 3 * 64) * d

    def layer(queries):
        linear = queries * d * d + 2 * n * d * d + queries * (d * d + 4 * d * d)
        return linear + 2 * queries * n * d

    transformer = 2 * layer(n) + layer(k)
    return stem + 16 * 12 * block + patches + transformer + k * d * 3


def test_multiply_accumulates_are_those_of_the_layers(files):
    assert [count_macs(file) for file in files] == [demo_macs()] * 2


def test_onnx_products_of_integers_and_of_activations_count_too(tmp_path):
    weights = {"int8": np.zeros((6, 5), "int8"), "zero": np.zeros((), "uint8")}
    values = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    parts = ["steps", "scale", "point"]
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["tokens"], parts),
        helper.make_node("MatMulInteger", ["steps", "int8", "point"], ["mapped"]),
        helper.make_node("Cast", ["mapped"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["float"], ["turned"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["float", "turned"], ["scores"]),
    ]
    tensor = helper.make_tensor_value_info
    inputs = [tensor("tokens", TensorProto.FLOAT, ["batch", 4, 6])]
    outputs = [tensor("scores", TensorProto.FLOAT, ["batch", 4, 4])]
    graph = helper.make_graph(nodes, "tokens", inputs, outputs, values)
    onnx.save(helper.make_model(graph), tmp_path / "tokens.onnx")
    assert count_macs(tmp_path / "tokens.onnx") == 4 * 6 * 5 + 4 * 4 * 5


def test_tflite_depthwise_and_transposed_products_count_too(tmp_path):
    (tmp_path / "student.tflite").write_bytes(depthwise_and_product())
    assert count_macs(tmp_path / "student.tflite") == 8 * 6 * 3 * 9 + 4 * 5 * 7
