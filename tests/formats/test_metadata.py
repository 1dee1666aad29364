"""Metadata: what is written can be read by us and by others; the rest is refused."""

import json
import types

import onnx
import pytest

from distilpose_keras.codecs.coordinates import CoordinateCodec
from distilpose_keras.formats import metadata, tflite_file
from distilpose_keras.geometry import PLAIN, UDP
from distilpose_keras.keypoints import COCO_17, KeypointSchema
from tests.export.bare import relu_onnx, relu_tflite


@pytest.fixture
def model():
    return types.SimpleNamespace(
        pose_config=types.SimpleNamespace(
            name="demo_student",
            input_size=(64, 48),
            schema=COCO_17,
            geometry=UDP,
            codec=CoordinateCodec(mirror_shift=0.25),
            person_score="sum",
        ),
        metadata={"training_data": "synthetic, seed 0", "ap": 0.5, "version": "1.2"},
    )


@pytest.fixture
def tflite(model, tmp_path):
    document = metadata.describe(model, runtime="tflite", precision="int8")
    path = tmp_path / "student.tflite"
    path.write_bytes(tflite_file.embed(relu_tflite(), document))
    return path, document


def test_a_tflite_file_returns_what_was_embedded(tflite):
    path, document = tflite
    read = metadata.read_metadata(path)
    assert read == document
    assert read["model"] == "demo_student"
    assert read["precision"] == "int8"
    assert read["input_size"] == [64, 48]
    assert read["ap"] == 0.5
    assert (read["mirror_shift"], read["person_score"]) == (0.25, "sum")
    assert KeypointSchema.from_dict(read["schema"]) == COCO_17


def test_an_onnx_file_returns_what_was_embedded(model, tmp_path):
    document = metadata.describe(model, runtime="onnx", precision="float32")
    proto = relu_onnx()
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
    (tmp_path / "other.tflite").write_bytes(relu_tflite())
    onnx.save(relu_onnx(), tmp_path / "other.onnx")
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
    path.write_bytes(tflite_file.embed(relu_tflite(), document))
    with pytest.raises(ValueError, match="must hold a 'tflite' model"):
        metadata.read_metadata(path)


def test_incomplete_metadata_is_refused(model, tmp_path):
    document = metadata.describe(model, runtime="tflite", precision="float32")
    content = relu_tflite()
    path = tmp_path / "student.tflite"
    for damage in ("schema", "input_size"):
        broken = {key: value for key, value in document.items() if key != damage}
        entries = {metadata.ENTRY: json.dumps(broken).encode()}
        path.write_bytes(tflite_file.attach(content, entries=entries, files={"a": "b"}))
        with pytest.raises(ValueError, match=f"invalid: .*{damage}"):
            metadata.read_metadata(path)


def test_the_crop_geometry_is_read_and_plain_where_a_file_says_none(model):
    document = metadata.describe(model, runtime="tflite", precision="float32")
    assert document["geometry"] == "udp"
    assert metadata.geometry_of(document) is UDP
    del document["geometry"]  # files from before there were others
    assert metadata.geometry_of(document) is PLAIN


@pytest.mark.parametrize("name", ["spherical", None, ["plain"]])
def test_an_unknown_crop_geometry_is_refused(name, tflite):
    path, document = tflite
    entries = {metadata.ENTRY: json.dumps({**document, "geometry": name}).encode()}
    path.write_bytes(
        tflite_file.attach(relu_tflite(), entries=entries, files={"a": "b"})
    )
    with pytest.raises(ValueError, match="invalid: geometry .*known: plain"):
        metadata.read_metadata(path)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"mirror_shift": "left"}, "mirror shift left"),
        ({"mirror_shift": float("nan")}, "mirror shift nan"),
        ({"mirror_shift": True}, "mirror shift True"),
        ({"person_score": "best"}, "unknown person score 'best'"),
        ({"person_score": ["sum"]}, "unhashable"),
    ],
)
def test_rules_that_are_none_are_refused(model, tmp_path, entry, message):
    document = metadata.describe(model, runtime="tflite", precision="float32")
    path = tmp_path / "student.tflite"
    path.write_bytes(tflite_file.embed(relu_tflite(), {**document, **entry}))
    with pytest.raises(ValueError, match=message):
        metadata.read_metadata(path)


def test_files_from_before_there_were_rules_are_read(model, tmp_path):
    document = metadata.describe(model, runtime="tflite", precision="float32")
    old = {
        k: v for k, v in document.items() if k not in ("mirror_shift", "person_score")
    }
    path = tmp_path / "student.tflite"
    path.write_bytes(tflite_file.embed(relu_tflite(), old))
    assert metadata.read_metadata(path) == old
