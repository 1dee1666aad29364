"""ONNX files: what is in them, and that they compute what the model does."""

import collections

import numpy as np
import onnx
import onnxruntime
import pytest

from distilpose_keras.export.onnx.write import export_onnx
from distilpose_keras.formats.metadata import read_metadata
from distilpose_keras.formats.runtimes import open_runtime

FILES = ["float32.onnx", "float16.onnx", "int8.onnx"]


@pytest.fixture(scope="module")
def truth(student, crops):
    return open_runtime(student).run(crops)


@pytest.mark.parametrize(
    "name, tolerance",
    [
        ("float32.onnx", 1e-5),
        ("float16.onnx", 1e-3),
        ("int8.onnx", 2e-2),
    ],
)
def test_a_file_computes_what_its_model_computes(
    name, tolerance, exported, truth, crops
):
    found = open_runtime(exported(name)).run(crops)
    for output in ("keypoints", "scores"):
        assert np.abs(found[output] - truth[output]).max() < tolerance


@pytest.mark.parametrize("name", FILES)
def test_the_batch_size_is_free(name, exported, crops):
    session = onnxruntime.InferenceSession(str(exported(name)))
    for batch in (1, 3):
        image = crops[:batch].astype(np.float32)
        keypoints, scores = session.run(["keypoints", "scores"], {"image": image})
        assert keypoints.shape == (batch, 17, 2)
        assert scores.shape == (batch, 17, 1)


@pytest.mark.parametrize("name", FILES)
def test_only_standard_operators_of_opset_17(name, exported):
    proto = onnx.load(exported(name))
    onnx.checker.check_model(proto, full_check=True)
    assert [(o.domain, o.version) for o in proto.opset_import] == [("", 17)]
    assert {node.domain for node in proto.graph.node} == {""}


@pytest.mark.parametrize("name", FILES)
def test_a_layer_norm_is_one_node_and_a_gelu_is_written_with_erf(name, exported):
    kinds = collections.Counter(n.op_type for n in onnx.load(exported(name)).graph.node)
    layers = 3  # of the demo student
    assert kinds["LayerNormalization"] == 2 * layers + 1
    assert kinds["Erf"] == layers
    assert not {"ReduceMean", "GlobalAveragePool", "Reciprocal", "Sqrt"} & kinds.keys()


def test_int8_convolutions_read_and_write_integers(exported):
    proto = onnx.load(exported("int8.onnx"))
    makers = {o: node.op_type for node in proto.graph.node for o in node.output}
    first, *others = (node for node in proto.graph.node if node.op_type == "Conv")
    # The image has three channels: int8 would gain nothing.
    assert "DequantizeLinear" not in [makers.get(name) for name in first.input]
    assert others
    for node in others:
        assert [makers[name] for name in node.input] == ["DequantizeLinear"] * 3
    assert "MatMulInteger" in makers.values()


def test_metadata_is_inside(exported):
    document = read_metadata(exported("int8.onnx"))
    assert (document["runtime"], document["precision"]) == ("onnx", "int8")


def test_a_truncated_file_is_refused(exported, tmp_path):
    content = exported("float32.onnx").read_bytes()
    path = tmp_path / "student.onnx"
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match="student.onnx: truncated"):
        read_metadata(path)


def test_an_unknown_precision_is_refused(student, tmp_path):
    with pytest.raises(ValueError, match="precision must be one of .*'int8-full'"):
        export_onnx(student, tmp_path / "student.onnx", precision="int8-full")
