"""Metadata: what is written can be read by us and by others; the rest is refused."""

import json
import types
import zipfile

import numpy as np
import onnx
import pytest
from ai_edge_litert import schema_py_generated as schema

from distilpose_keras.export import metadata, tflite_file
from distilpose_keras.keypoints import COCO_17, KeypointSchema


@pytest.fixture
def model():
    return types.SimpleNamespace(
        pose_config=types.SimpleNamespace(
            name="demo_student", input_size=(64, 48), schema=COCO_17
        ),
        metadata={"training_data": "synthetic, seed 0", "ap": 0.5, "version": "1.2"},
    )


def tensor(name, shape, buffer):
    return schema.TensorT(name=name, shape=shape, buffer=buffer)


def bare_tflite():
    """A TFLite file of one operator: image -> keypoints (RELU), by the schema alone."""
    weights = np.arange(40, dtype=np.uint8)
    graph = schema.SubGraphT(
        tensors=[tensor("image", [1, 4], 0), tensor("keypoints", [1, 4], 0)],
        inputs=[0],
        outputs=[1],
        operators=[schema.OperatorT(opcodeIndex=0, inputs=[0], outputs=[1])],
        name="main",
    )
    signature = schema.SignatureDefT(
        inputs=[schema.TensorMapT(name="image", tensorIndex=0)],
        outputs=[schema.TensorMapT(name="keypoints", tensorIndex=1)],
        signatureKey="serving_default",
        subgraphIndex=0,
    )
    model = schema.ModelT(
        version=3,
        operatorCodes=[schema.OperatorCodeT(deprecatedBuiltinCode=19, builtinCode=19)],
        subgraphs=[graph],
        buffers=[schema.BufferT(), schema.BufferT(data=weights)],
        signatureDefs=[signature],
    )
    return tflite_file.pack_model(model)


def bare_onnx():
    """An ONNX model of one operator."""
    values = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 4])
        for name in ("image", "keypoints")
    ]
    node = onnx.helper.make_node("Relu", ["image"], ["keypoints"])
    graph = onnx.helper.make_graph([node], "main", values[:1], values[1:])
    return onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8
    )


@pytest.fixture
def tflite(model, tmp_path):
    document = metadata.describe(model, runtime="tflite", precision="int8")
    path = tmp_path / "student.tflite"
    path.write_bytes(tflite_file.embed(bare_tflite(), document))
    return path, document


def test_a_tflite_file_returns_what_was_embedded(tflite):
    path, document = tflite
    read = metadata.read_metadata(path)
    assert read == document
    assert read["model"] == "demo_student"
    assert read["precision"] == "int8"
    assert read["input_size"] == [64, 48]
    assert read["ap"] == 0.5
    assert KeypointSchema.from_dict(read["schema"]) == COCO_17


def test_embedding_keeps_weights_and_aligns_them(tflite):
    path, _ = tflite
    content = path.read_bytes()
    root = schema.Model.GetRootAs(content, 0)
    buffer = root.Buffers(1)
    assert buffer.DataAsNumpy().tolist() == list(range(40))
    position = buffer._tab.Vector(buffer._tab.Offset(4))
    assert position % 16 == 0


def test_the_runtime_still_runs_an_embedded_file(tflite):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(tflite[0]))
    runner = interpreter.get_signature_runner()
    outputs = runner(image=np.array([[-1, 2, -3, 4]], np.float32))
    np.testing.assert_array_equal(outputs["keypoints"], [[0, 2, 0, 4]])


def test_the_keypoint_names_can_be_unzipped(tflite):
    with zipfile.ZipFile(tflite[0]) as archive:
        names = archive.read("keypoints.txt").decode().split()
    assert tuple(names) == COCO_17.names


def test_the_standard_description_follows_its_schema(tflite):
    # Offsets read by hand after metadata_schema.fbs: vtable slot 4 + 2 * field.
    model = tflite_file.read_model(tflite[0].read_bytes())
    entry = next(e for e in model.metadata if e.name == b"TFLITE_METADATA")
    data = bytes(model.buffers[entry.buffer].data)
    assert data[4:8] == b"M001"

    from flatbuffers import number_types, table

    def root(data):
        return table.Table(data, int.from_bytes(data[:4], "little"))

    def text(node, field):
        return node.String(node.Offset(4 + 2 * field) + node.Pos).decode()

    def first(node, field):
        position = node.Vector(node.Offset(4 + 2 * field))
        return table.Table(node.Bytes, node.Indirect(position))

    def child(node, field):
        return table.Table(
            node.Bytes, node.Indirect(node.Offset(4 + 2 * field) + node.Pos)
        )

    description = root(data)
    assert text(description, 0) == "demo_student"
    assert "AP: 0.5000" in text(description, 1)
    assert text(description, 2) == "1.2"
    image = first(first(description, 3), 2)  # subgraph 0, input 0
    assert text(image, 0) == "image"
    size = child(child(child(image, 3), 1), 1)  # content, image properties, size
    width = size.Get(number_types.Uint32Flags, size.Offset(4) + size.Pos)
    height = size.Get(number_types.Uint32Flags, size.Offset(6) + size.Pos)
    assert (width, height) == (48, 64)
    keypoints = first(first(description, 3), 3)
    assert text(first(keypoints, 6), 0) == "keypoints.txt"


def test_an_onnx_file_returns_what_was_embedded(model, tmp_path):
    document = metadata.describe(model, runtime="onnx", precision="float32")
    proto = bare_onnx()
    metadata.embed_onnx(proto, document)
    path = tmp_path / "student.onnx"
    onnx.save(proto, path)
    assert metadata.read_metadata(path) == document
    (entry,) = onnx.load(path).metadata_props
    assert entry.key == "distilpose"
    assert json.loads(entry.value)["schema"]["names"] == list(COCO_17.names)


def test_the_sidecar_lies_beside_the_file(model, tmp_path):
    document = metadata.describe(model, runtime="onnx", precision="float32")
    metadata.write_sidecar(tmp_path / "student.onnx", document)
    assert json.loads((tmp_path / "student.onnx.json").read_text()) == document


@pytest.mark.parametrize("suffix", [".tflite", ".onnx"])
def test_a_missing_file_is_refused(suffix, tmp_path):
    with pytest.raises(ValueError, match=f"nowhere{suffix}: no such file"):
        metadata.read_metadata(tmp_path / f"nowhere{suffix}")


def test_another_suffix_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"expected a \.tflite or \.onnx file"):
        metadata.read_metadata(tmp_path / "student.h5")


@pytest.mark.parametrize("suffix", [".tflite", ".onnx"])
def test_bytes_of_something_else_are_refused(suffix, tmp_path):
    path = tmp_path / f"student{suffix}"
    path.write_bytes(b"<html>404 not found</html>" * 20)
    with pytest.raises(ValueError, match="student") as caught:
        metadata.read_metadata(path)
    assert "\n" not in str(caught.value)


def test_files_of_other_projects_are_refused(tmp_path):
    (tmp_path / "other.tflite").write_bytes(bare_tflite())
    onnx.save(bare_onnx(), tmp_path / "other.onnx")
    for name in ("other.tflite", "other.onnx"):
        with pytest.raises(ValueError, match=f"{name}: not an export of distilpose"):
            metadata.read_metadata(tmp_path / name)


def test_a_truncated_tflite_file_is_refused_wherever_it_ends(tflite):
    path, _ = tflite
    content = path.read_bytes()
    for end in range(0, len(content) - 1, 97):
        path.write_bytes(content[:end])
        with pytest.raises(ValueError, match="student.tflite"):
            metadata.read_metadata(path)


def test_a_file_renamed_to_the_other_format_is_refused(model, tmp_path):
    document = metadata.describe(model, runtime="onnx", precision="float32")
    path = tmp_path / "student.tflite"
    path.write_bytes(tflite_file.embed(bare_tflite(), document))
    with pytest.raises(ValueError, match="must hold a 'tflite' model"):
        metadata.read_metadata(path)


def test_incomplete_metadata_is_refused(model, tmp_path):
    document = metadata.describe(model, runtime="tflite", precision="float32")
    content = bare_tflite()
    path = tmp_path / "student.tflite"
    for damage in ("schema", "input_size"):
        broken = {key: value for key, value in document.items() if key != damage}
        entries = {metadata.ENTRY: json.dumps(broken).encode()}
        path.write_bytes(tflite_file.attach(content, entries=entries, files={"a": "b"}))
        with pytest.raises(ValueError, match=f"invalid: .*{damage}"):
            metadata.read_metadata(path)
