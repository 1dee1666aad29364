"""Who makes and reads the tensors of an ONNX graph."""

import numpy as np
import pytest
from onnx.helper import make_node

from distilpose_keras.export.onnx.links import Links, drop_unused
from tests.export.bare import onnx_model


@pytest.fixture
def graph():
    nodes = [
        make_node("Add", ["image", "half"], ["sum"]),
        make_node("Mul", ["sum", "sum"], ["square"]),
        make_node("Sub", ["pair", "image"], ["unused"]),
        make_node("Relu", ["square"], ["keypoints"]),
    ]
    constants = {"half": np.float32([[0.5]]), "pair": np.float32([1, 2])}
    return onnx_model(nodes, image=(1, 2), constants=constants).graph


def test_the_maker_and_the_only_reader_of_a_tensor_are_found(graph):
    links = Links(graph)
    add, mul, _, relu = graph.node
    assert links.maker("sum", "Mul", "Add") is add
    assert links.maker("sum", "Mul") is None
    assert links.maker("image", "Add") is None  # nobody makes it
    assert links.reader("square", "Relu") is relu
    assert links.reader("square", "Mul") is None
    assert links.reader("sum", "Mul") is None  # read twice
    assert links.reader("keypoints", "Relu") is None
    assert links.reader("square", "Clip", "Relu") is relu


def test_a_node_is_split_into_tensor_and_scalar(graph):
    links = Links(graph)
    add, mul, sub, _ = graph.node
    assert links.split(add) == ("image", 0.5)
    reversed_add = make_node("Add", ["half", "image"], ["x"])
    assert links.split(reversed_add) == ("image", 0.5)
    for node, first in ((mul, "sum"), (sub, "pair")):  # two values are no scalar
        tensor, scalar = links.split(node)
        assert tensor == first and np.isnan(scalar)


def test_only_what_an_output_needs_is_kept(graph):
    drop_unused(graph)
    assert [node.op_type for node in graph.node] == ["Add", "Mul", "Relu"]
    assert [tensor.name for tensor in graph.initializer] == ["half"]
