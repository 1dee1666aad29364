"""Weights in half the space, and nothing else changed."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from distilpose_keras.export.onnx.half import store_half


def a_linear_map():
    """Y = X W + b, 16 to 16: W has 256 numbers, b has 16."""
    rng = np.random.default_rng(0)
    weights = {
        "w": rng.normal(size=(16, 16)).astype(np.float32),
        "b": rng.normal(size=16).astype(np.float32),
        "shape": np.array([-1, 16], np.int64),
    }
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["xw"]),
        helper.make_node("Add", ["xw", "b"], ["sum"]),
        helper.make_node("Reshape", ["sum", "shape"], ["y"]),
    ]
    tensors = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 16])
        for name in "xy"
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        tensors[:1],
        tensors[1:],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    return model, weights


def test_large_weights_are_the_nearest_halves_and_the_rest_stays():
    model, weights = a_linear_map()
    store_half(model.graph)
    onnx.checker.check_model(model, full_check=True)
    stored = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    assert {name: value.dtype.name for name, value in stored.items()} == {
        "w/half": "float16",
        "b": "float32",
        "shape": "int64",
    }
    x = np.random.default_rng(1).normal(size=(3, 16)).astype(np.float32)
    (found,) = ReferenceEvaluator(model).run(None, {"x": x})
    rounded = weights["w"].astype(np.float16).astype(np.float32)
    np.testing.assert_allclose(found, x @ rounded + weights["b"], atol=1e-5)
