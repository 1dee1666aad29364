"""Rewrites of ONNX graphs compute the same, and touch nothing else."""

import math

import numpy as np
import onnxruntime
import pytest
from onnx import numpy_helper
from onnx.helper import make_node

from distilpose_keras.export.onnx.graph import (
    fuse_layer_norms,
    spell_gelus,
    tidy,
    widen_mean,
)
from tests.export.bare import onnx_model

X = np.random.default_rng(0).normal(size=(1, 3, 8)).astype("float32")
CENTERED = X - X.mean(axis=-1, keepdims=True)


def run(proto, image):
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    return session.run(["keypoints"], {"image": image})[0]


def kinds(proto):
    return [node.op_type for node in proto.graph.node]


def norm(square=("image", "image"), turned=False):
    product = ["factor", "image"] if turned else ["image", "factor"]
    nodes = [
        make_node("Mul", list(square), ["square"]),
        make_node("ReduceMean", ["square"], ["mean"], axes=[-1]),
        make_node("Add", ["mean", "epsilon"], ["total"]),
        make_node("Sqrt", ["total"], ["root"]),
        make_node("Reciprocal", ["root"], ["factor"]),
        make_node("Mul", product, ["normed"]),
        make_node("Neg", ["normed"], ["keypoints"]),
    ]
    constants = {"epsilon": np.float32(0.25), "other": np.ones((3, 8), "float32")}
    return onnx_model(nodes, image=X.shape, constants=constants)


@pytest.mark.parametrize("turned", [False, True])
def test_a_norm_of_centered_tokens_becomes_one_node(turned):
    proto = norm(turned=turned)
    fuse_layer_norms(proto)
    assert kinds(proto) == ["LayerNormalization", "Neg"]
    variance = (CENTERED.astype("float64") ** 2).mean(axis=-1, keepdims=True)
    expected = -CENTERED / np.sqrt(variance + 0.25)
    np.testing.assert_allclose(run(proto, CENTERED), expected, atol=1e-6)


def test_what_only_looks_like_a_norm_stays():
    proto = norm(square=("image", "other"))
    before = kinds(proto)
    fuse_layer_norms(proto)
    assert kinds(proto) == before


def gelu(half=0.5, turned=False):
    nodes = [
        make_node("Mul", ["image", "half"], ["halved"]),
        make_node("Mul", ["image", "root"], ["scaled"]),
        make_node("Erf", ["scaled"], ["erf"]),
        make_node("Add", ["erf", "one"], ["shifted"]),
        make_node(
            "Mul",
            ["shifted", "halved"] if turned else ["halved", "shifted"],
            ["keypoints"],
        ),
    ]
    values = {"half": half, "root": math.sqrt(0.5), "one": 1.0}
    constants = {name: np.float32(value) for name, value in values.items()}
    return onnx_model(nodes, image=X.shape, constants=constants)


@pytest.mark.parametrize("turned", [False, True])
def test_a_gelu_is_spelled_as_runtimes_look_for_it(turned):
    proto = gelu(turned=turned)
    spell_gelus(proto)
    assert kinds(proto) == ["Div", "Erf", "Add", "Mul", "Mul"]
    expected = [x * 0.5 * (1 + math.erf(x / math.sqrt(2))) for x in X.ravel().tolist()]
    np.testing.assert_allclose(run(proto, X).ravel(), expected, atol=1e-6)


def test_another_factor_is_no_gelu():
    proto = gelu(half=0.6)
    spell_gelus(proto)
    assert kinds(proto) == ["Mul", "Mul", "Erf", "Add", "Mul"]


def test_the_mean_is_subtracted_row_by_row():
    mean = np.float32([10, 20, 30])
    nodes = [make_node("Sub", ["image", "mean"], ["keypoints"])]
    proto = onnx_model(nodes, image=(1, 4, 6, 3), constants={"mean": mean})
    widen_mean(proto)
    (row,) = [t for t in proto.graph.initializer if t.name == "image/mean"]
    assert numpy_helper.to_array(row).shape == (6, 3)
    image = np.random.default_rng(0).uniform(0, 255, (1, 4, 6, 3)).astype("float32")
    np.testing.assert_array_equal(run(proto, image), image - mean)


def test_a_tidy_graph_has_a_free_batch_and_no_idle_opset():
    proto = gelu()
    proto.opset_import.add(domain="ai.onnx.ml", version=2)
    tidy(proto)
    assert [opset.domain for opset in proto.opset_import] == [""]
    pair = np.concatenate([X, -X])
    assert run(proto, pair).shape == pair.shape
