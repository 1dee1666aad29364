"""The token layout of ONNX files: the same outputs, and attention without copies."""

import collections

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper

from distilpose_keras.export.convert import float_onnx
from distilpose_keras.export.onnx.graph import fuse_layer_norms, tidy
from distilpose_keras.export.onnx.tokens import join_by_padding, put_tokens_first

LAYERS = 3  # of the demo student


@pytest.fixture
def converted(student):
    """The graph as tf2onnx writes it."""
    return onnx.load_from_string(float_onnx(student))


@pytest.fixture
def joined(converted):
    """The graph as `put_tokens_first` gets it."""
    fuse_layer_norms(converted)
    join_by_padding(converted)
    return converted


def run(proto, crops):
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    return session.run(["keypoints", "scores"], {"image": crops.astype(np.float32)})


@pytest.mark.parametrize("batch", [1, 3])
def test_rewriting_changes_no_output(converted, crops, batch):
    before = run(converted, crops[:batch])
    tidy(converted)
    for old, new in zip(before, run(converted, crops[:batch]), strict=True):
        np.testing.assert_allclose(new, old, atol=1e-5)


def test_onnx_runtime_reads_heads_where_they_lie(exported, tmp_path):
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    onnxruntime.InferenceSession(str(exported("float32.onnx")), options)
    nodes = onnx.load(tmp_path / "optimized.onnx").graph.node
    products = [node for node in nodes if node.op_type == "FusedMatMul"]
    assert len(products) == 2 * LAYERS
    strided = [
        (a.name, node.op_type)
        for node in products
        for a in node.attribute
        if a.name.startswith("transBatch") and a.i
    ]
    # Queries and keys of one product, values of the other.
    assert collections.Counter(name for name, _ in strided) == {
        "transBatchA": LAYERS,
        "transBatchB": 2 * LAYERS,
    }


def test_constant_tokens_are_joined_by_padding(converted):
    join_by_padding(converted)
    kinds = {node.op_type for node in converted.graph.node}
    assert "Pad" in kinds
    assert not kinds & {"Expand", "Concat", "Shape"}


def test_constants_stay_shared(joined):
    def numbers():
        return sum(int(np.prod(t.dims)) for t in joined.graph.initializer)

    before = numbers()
    put_tokens_first(joined)
    assert numbers() == before


def test_a_graph_with_an_unknown_operation_stays(joined):
    softmax = next(n for n in joined.graph.node if n.op_type == "Softmax")
    at = list(joined.graph.node).index(softmax)
    flip = helper.make_node("Neg", [softmax.input[0]], ["flipped"])
    joined.graph.node.insert(at, flip)
    softmax.input[0] = "flipped"
    before = joined.SerializeToString()
    put_tokens_first(joined)
    assert joined.SerializeToString() == before


def test_padding_of_feature_maps_is_not_taken_for_tokens():
    value = helper.make_tensor_value_info
    pads = helper.make_tensor("pads", onnx.TensorProto.INT64, [8], [0, 0, 1, 1] * 2)
    graph = helper.make_graph(
        [helper.make_node("Pad", ["image", "pads"], ["padded"])],
        "convolutions",
        [value("image", onnx.TensorProto.FLOAT, ["batch", 3, 8, 8])],
        [value("padded", onnx.TensorProto.FLOAT, ["batch", 3, 10, 10])],
        [pads],
    )
    proto = helper.make_model(graph)
    before = proto.SerializeToString()
    put_tokens_first(proto)
    assert proto.SerializeToString() == before
