"""TFLite files: what is in them, and that they compute what the model does."""

import errno
import os

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from distilpose_keras.export import reproduce
from distilpose_keras.export.tflite.graph import kinds
from distilpose_keras.export.tflite.write import export_tflite
from distilpose_keras.formats import tflite_file
from distilpose_keras.formats.metadata import read_metadata, sidecar_path
from distilpose_keras.formats.runtimes import open_runtime
from distilpose_keras.models.model import build_model

FILES = ["float32.tflite", "float16.tflite", "int8.tflite", "int8-full.tflite"]


@pytest.fixture(scope="module")
def truth(student, crops):
    return open_runtime(student).run(crops)


@pytest.mark.parametrize(
    "name, tolerance",
    [
        pytest.param("float32.tflite", 1e-5, marks=pytest.mark.backend),
        ("float16.tflite", 1e-3),
        ("int8.tflite", 2e-2),
    ],
)
def test_a_file_computes_what_its_model_computes(
    name, tolerance, exported, truth, crops
):
    found = open_runtime(exported(name)).run(crops)
    for output in ("keypoints", "scores"):
        assert np.abs(found[output] - truth[output]).max() < tolerance


@pytest.mark.parametrize("name", FILES)
def test_inputs_and_outputs_are_named_and_ordered(name, exported):
    interpreter = Interpreter(str(exported(name)))
    assert interpreter.get_signature_list() == {
        "serving_default": {"inputs": ["image"], "outputs": ["keypoints", "scores"]}
    }
    (image,) = interpreter.get_input_details()
    keypoints, scores = interpreter.get_output_details()
    assert (image["name"], image["shape"].tolist()) == ("image", [1, 64, 48, 3])
    assert (keypoints["name"], keypoints["shape"].tolist()) == (
        "keypoints",
        [1, 17, 2],
    )
    assert (scores["name"], scores["shape"].tolist()) == ("scores", [1, 17, 1])


@pytest.mark.parametrize("name", FILES)
def test_only_builtin_operators(name, exported):
    model = tflite_file.read_model(exported(name).read_bytes())
    assert all(code.customCode is None for code in model.operatorCodes)


def test_keypoints_and_scores_have_scales_of_their_own(exported):
    interpreter = Interpreter(str(exported("int8-full.tflite")))
    keypoints, scores = interpreter.get_output_details()
    assert keypoints["quantization"][0] != scores["quantization"][0]


def test_int8_full_computes_in_integers_alone(exported):
    model = tflite_file.read_model(exported("int8-full.tflite").read_bytes())
    graph = model.subgraphs[0]
    types = {graph.tensors[i].type for op in graph.operators for i in op.outputs}
    assert types <= {schema.TensorType.INT8, schema.TensorType.INT16}
    for index in (*graph.inputs, *graph.outputs):
        assert graph.tensors[index].type == schema.TensorType.INT8


def test_xnnpack_takes_the_attention_products_of_int8_full(exported):
    model = tflite_file.read_model(exported("int8-full.tflite").read_bytes())
    graph = model.subgraphs[0]
    seconds = [
        graph.tensors[op.inputs[1]].quantization.zeroPoint.tolist()
        for op, kind in zip(graph.operators, kinds(model), strict=True)
        if kind == "BATCH_MATMUL"
    ]
    assert seconds == [[0]] * 6  # two in each of three layers


def test_quantized_files_are_smaller(exported):
    sizes = {name: exported(name).stat().st_size for name in FILES}
    assert sizes["float16.tflite"] < 0.6 * sizes["float32.tflite"]
    assert sizes["int8.tflite"] < 0.4 * sizes["float32.tflite"]


@pytest.mark.parametrize("name", FILES)
def test_metadata_is_inside_and_beside(name, exported):
    document = read_metadata(exported(name))
    assert document["precision"] == name.split(".")[0]
    assert document["training_data"] == "noise"
    assert document["ap"] == 0.25
    assert sidecar_path(exported(name)).is_file()


def test_heatmaps_are_not_decoded_in_integers(tmp_path, crops):
    with pytest.raises(ValueError, match="int8-full is for models .* demo_teacher"):
        export_tflite(
            build_model("demo_teacher"),
            tmp_path / "teacher.tflite",
            precision="int8-full",
            calibration=crops,
        )


def test_an_unknown_precision_is_refused(student, tmp_path):
    with pytest.raises(ValueError, match="precision must be one of .*'int4'"):
        export_tflite(student, tmp_path / "student.tflite", precision="int4")


@pytest.mark.parametrize(
    "calibration, message",
    [
        (None, "int8 needs calibration crops"),
        (np.zeros((4, 64, 48, 3), np.uint8), "at least 16 crops. Received: 4"),
        (np.zeros((16, 256, 192, 3), np.uint8), r"\(N, 64, 48, 3\) uint8"),
        (np.zeros((16, 64, 48, 3), np.float32), "float32"),
    ],
)
def test_unfit_calibration_is_refused(calibration, message, student, tmp_path):
    with pytest.raises(ValueError, match=message):
        export_tflite(
            student, tmp_path / "x.tflite", precision="int8", calibration=calibration
        )


def test_a_file_that_disagrees_is_not_written(student, tmp_path, monkeypatch):
    monkeypatch.setitem(reproduce.TOLERANCES, "float32", 0.0)
    path = tmp_path / "student.tflite"
    with pytest.raises(reproduce.ExportError, match="does not reproduce the model"):
        export_tflite(student, path)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing_behind(student, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "student.tflite"
    path.write_bytes(b"before")
    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        export_tflite(student, path)
    assert [p.name for p in tmp_path.iterdir()] == ["student.tflite"]
    assert path.read_bytes() == b"before"
