"""Constants of graph models, against what was written."""

import json

import numpy as np
import pytest
from tiny_movenet import write_graph

from distilpose_keras.models.graph_files import read_graph_constants

RNG = np.random.default_rng(0)
CONSTANTS = {
    "kernel": RNG.normal(size=(3, 3, 8, 16)).astype("float32"),
    "axis": np.array(-1, "int32"),
    "bias": RNG.normal(size=16).astype("float32"),
}


@pytest.mark.parametrize(("dtype", "error"), [("float32", 0), ("float16", 2e-3)])
def test_what_was_written_is_read(tmp_path, dtype, error):
    write_graph(tmp_path / "model.json", CONSTANTS, dtype)
    found = read_graph_constants(tmp_path / "model.json")
    assert list(found) == list(CONSTANTS)
    for name, value in CONSTANTS.items():
        assert found[name].dtype == value.dtype
        np.testing.assert_allclose(found[name], value, atol=error)


def test_a_file_cut_short_is_refused(tmp_path):
    write_graph(tmp_path / "model.json", CONSTANTS)
    second = tmp_path / "model-2.bin"
    second.write_bytes(second.read_bytes()[:-4])
    with pytest.raises(ValueError, match=r"model-2.bin ends before bias"):
        read_graph_constants(tmp_path / "model.json")


def test_a_file_that_is_missing_is_named(tmp_path):
    write_graph(tmp_path / "model.json", CONSTANTS)
    (tmp_path / "model-2.bin").unlink()
    with pytest.raises(ValueError, match=r"not a TensorFlow.js graph.*model-2.bin"):
        read_graph_constants(tmp_path / "model.json")


@pytest.mark.parametrize(
    "text", ["", "{}", "[1]", "\x00\xff", '{"weightsManifest": [1]}', "null"]
)
def test_other_files_are_refused(tmp_path, text):
    path = tmp_path / "model.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=r"model.json is not a TensorFlow.js graph"):
        read_graph_constants(path)


def test_numbers_of_another_kind_are_refused(tmp_path):
    path = tmp_path / "model.json"
    write_graph(path, CONSTANTS)
    content = json.loads(path.read_text())
    content["weightsManifest"][0]["weights"][0]["quantization"] = {"dtype": "uint8"}
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match="kernel is stored as uint8"):
        read_graph_constants(path)


def test_paths_lead_nowhere_else(tmp_path):
    inside = tmp_path / "inside"
    inside.mkdir()
    write_graph(inside / "model.json", CONSTANTS)
    (inside / "model-1.bin").rename(tmp_path / "model-1.bin")
    path = inside / "model.json"
    path.write_text(path.read_text().replace('"model-1.bin"', '"../model-1.bin"'))
    with pytest.raises(ValueError, match=r"inside/model-1.bin"):
        read_graph_constants(path)
