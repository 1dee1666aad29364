"""ONNX metadata, read from the bytes: the judge is the `onnx` package."""

import onnx
import pytest

from distilpose_keras.formats.onnx_file import read_entry


def model(**entries):
    proto = onnx.ModelProto(ir_version=8, producer_name="somebody")
    proto.graph.name = "g" * 300  # a length of two bytes
    for key, value in entries.items():
        proto.metadata_props.add(key=key, value=value)
    return proto.SerializeToString()


def test_entries_are_found_by_name():
    content = model(one="first", two="zwölf" * 100)
    assert read_entry(content, "two") == "zwölf" * 100
    assert read_entry(content, "three") is None
    assert read_entry(model(), "one") is None


def test_what_ends_too_early_is_refused():
    content = model(one="first")
    for size in (len(content) - 1, len(content) - 8, 3):
        with pytest.raises(ValueError, match="truncated, or not an ONNX file"):
            read_entry(content[:size], "one")
    with pytest.raises(ValueError, match="not an ONNX file"):
        read_entry(b"\xff" * 40, "one")
