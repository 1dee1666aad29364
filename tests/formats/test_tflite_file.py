"""TFLite files: what is put into them, and that they still run."""

import zipfile

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from distilpose_keras.formats import tflite_file
from distilpose_keras.keypoints import COCO_17
from tests.export.bare import relu_tflite, tflite


@pytest.fixture
def embedded(document, tmp_path):
    path = tmp_path / "student.tflite"
    path.write_bytes(tflite_file.embed(relu_tflite(), document))
    return path


def test_embedding_keeps_weights_and_aligns_them(embedded):
    content = embedded.read_bytes()
    root = schema.Model.GetRootAs(content, 0)
    buffer = root.Buffers(1)
    assert buffer.DataAsNumpy().view(np.float32).tolist() == list(range(10))
    position = buffer._tab.Vector(buffer._tab.Offset(4))
    assert position % 16 == 0


def test_the_runtime_still_runs_an_embedded_file(embedded):
    interpreter = Interpreter(str(embedded))
    runner = interpreter.get_signature_runner()
    outputs = runner(image=np.array([[-1, 2, -3, 4]], np.float32))
    np.testing.assert_array_equal(outputs["keypoints"], [[0, 2, 0, 4]])


def test_the_keypoint_names_can_be_unzipped(embedded):
    with zipfile.ZipFile(embedded) as archive:
        names = archive.read("keypoints.txt").decode().split()
    assert tuple(names) == COCO_17.names


def test_a_file_does_not_tell_when_it_was_made(embedded):
    with zipfile.ZipFile(embedded) as archive:
        (entry,) = archive.infolist()
    assert entry.date_time == (1980, 1, 1, 0, 0, 0)


def test_entries_are_read_back_by_name():
    entries = {"one": b"first", "two": b"second"}
    content = tflite_file.attach(relu_tflite(), entries=entries, files={"a": "b"})
    assert tflite_file.read_entry(content, "two") == "second"
    assert tflite_file.read_entry(content, "three") is None


def test_tensors_get_the_names_of_the_signature_and_outputs_their_order():
    content = tflite(
        {"a:0": (1, 2), "Identity": (1, 2), "Identity_1": (1, 2)},
        [
            ("RELU", ["a:0"], "Identity", None),
            ("NEG", ["a:0"], "Identity_1", schema.NegOptionsT()),
        ],
        outputs=["Identity", "Identity_1"],
        signature={"a:0": "image", "Identity": "scores", "Identity_1": "keypoints"},
    )
    content = tflite_file.name_inputs_and_outputs(content)
    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    (image,) = interpreter.get_input_details()
    assert image["name"] == "image"
    interpreter.set_tensor(image["index"], np.array([[-1, 2]], np.float32))
    interpreter.invoke()
    found = {
        output["name"]: interpreter.get_tensor(output["index"]).tolist()
        for output in interpreter.get_output_details()
    }
    assert list(found) == ["keypoints", "scores"]
    assert found == {"keypoints": [[1, -2]], "scores": [[0, 2]]}


def test_weights_behind_the_flatbuffer_are_found():
    weights = bytes(range(40))

    def packed(offset):
        model = schema.ModelT(version=3, buffers=[schema.BufferT()])
        model.buffers.append(schema.BufferT(offset=offset, size=len(weights)))
        builder = flatbuffers.Builder(64)
        builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())

    end = len(packed(1 << 20))  # an offset has a fixed length
    model = tflite_file.read_model(packed(end) + weights + b"more")
    assert bytes(model.buffers[1].data) == weights
    # Written anew, they are inside.
    again = schema.Model.GetRootAs(tflite_file.pack_model(model), 0)
    assert bytes(again.Buffers(1).DataAsNumpy()) == weights


def test_bytes_of_something_else_are_refused():
    with pytest.raises(ValueError, match="not a TFLite file"):
        tflite_file.read_model(b"PK3\x04 something else")
    with pytest.raises(ValueError, match="truncated TFLite file"):
        tflite_file.read_model(relu_tflite()[:40])
