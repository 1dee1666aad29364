"""Files of fake-quantized students: integers alone, with the ranges of training."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from distilpose_keras.export import convert, reproduce
from distilpose_keras.export.tflite.graph import kinds, operators
from distilpose_keras.formats.metadata import read_metadata
from distilpose_keras.formats.runtimes import open_runtime
from distilpose_keras.formats.tflite_file import read_model
from distilpose_keras.models.model import load_model
from distilpose_keras.quantization import files


@pytest.fixture(scope="module")
def path(quantized, crops, tmp_path_factory):
    path = tmp_path_factory.mktemp("files") / "student.tflite"
    files.export_quantized(quantized, path, crops)
    return path


@pytest.fixture(scope="module")
def model(path):
    return read_model(path.read_bytes())


def test_the_file_computes_what_training_saw(path, student, quantized, crops):
    simulated, found = (open_runtime(m).run(crops) for m in (quantized, path))
    expected = open_runtime(student).run(crops)
    for name in ("keypoints", "scores"):
        rounding = np.abs(simulated[name] - expected[name]).mean()
        assert np.abs(found[name] - simulated[name]).mean() < 0.75 * rounding
        assert np.abs(found[name] - expected[name]).mean() < 1.5 * rounding


def test_the_file_computes_in_integers_alone(model):
    graph = model.subgraphs[0]
    types = {graph.tensors[i].type for op in graph.operators for i in op.outputs}
    assert types == {schema.TensorType.INT8, schema.TensorType.INT16}
    for index in (*graph.inputs, *graph.outputs):
        assert graph.tensors[index].type == schema.TensorType.INT8
    assert all(code.customCode is None for code in model.operatorCodes)


def test_pixels_and_keypoints_have_the_scales_that_lose_nothing(model):
    graph = model.subgraphs[0]
    image, keypoints = graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]
    assert image.quantization.scale[0] == pytest.approx(1)
    assert image.quantization.zeroPoint[0] == -128
    assert keypoints.quantization.scale[0] == pytest.approx(1 / 256)


def test_kernels_are_int8_with_a_scale_for_each_channel(model, quantized):
    graph = model.subgraphs[0]
    scales = [
        len(t.quantization.scale)
        for t in graph.tensors
        if t.type == schema.TensorType.INT8
        and t.shape is not None
        and len(t.shape) == 4
        and model.buffers[t.buffer].data is not None
    ]
    convolutions = [
        layer.filters
        for layer in quantized.deployed.layers
        if hasattr(layer, "filters")
    ]
    assert sorted(scales) == sorted(convolutions)


def test_a_file_has_the_ranges_of_training(model, quantized):
    low, high = quantized.deployed.get_layer("backbone-conv2-int8").get_weights()
    graph = model.subgraphs[0]
    found = [
        t.quantization.scale[0]
        for t in graph.tensors
        if t.type == schema.TensorType.INT8
        and b"backbone-conv2" in t.name
        and model.buffers[t.buffer].data is None
    ]
    assert found == pytest.approx([(high - low) / 255], rel=1e-5)


def test_it_says_that_it_is_int8_full(path):
    assert read_metadata(path)["precision"] == "int8-full"


def test_a_file_that_disagrees_is_not_written(quantized, crops, tmp_path, monkeypatch):
    monkeypatch.setitem(reproduce.TOLERANCES, "int8-full", 0.0)
    with pytest.raises(reproduce.ExportError):
        files.export_quantized(quantized, tmp_path / "student.tflite", crops)
    assert list(tmp_path.iterdir()) == []


def test_a_float_file_has_the_weights_without_rounding(
    student, quantized, crops, tmp_path
):
    path = tmp_path / "student.tflite"
    files.export_quantized(quantized, path, crops, precision="float32")
    assert read_metadata(path)["precision"] == "float32"
    found, expected = (open_runtime(m).run(crops) for m in (path, student))
    for name, wanted in expected.items():
        np.testing.assert_allclose(found[name], wanted, atol=1e-3)


def test_another_precision_is_refused(quantized, tmp_path):
    with pytest.raises(ValueError, match="int8-full, float32. Received: 'int8'"):
        files.export_quantized(quantized, tmp_path / "x.tflite", precision="int8")


def test_taking_out_fake_quantization_leaves_the_float_graph(quantized):
    content = convert.convert_once("fake-quantized", quantized, files._to_tflite)
    plain, ranges = files.take_out_fake_quantization(content)
    kinds = {op.kind for op in operators(plain)}
    assert not kinds & {"QUANTIZE", "DEQUANTIZE"}
    complete = files.spread_ranges(plain, ranges)
    for operator in operators(plain):
        assert operator.name in complete
    graph = read_model(plain).subgraphs[0]
    image = graph.tensors[graph.inputs[0]].name.decode()
    assert ranges[image] == pytest.approx((0, 255))


def test_fast_kernels_take_the_products_of_attention(model):
    graph = model.subgraphs[0]
    second = [
        graph.tensors[op.inputs[1]]
        for op, kind in zip(graph.operators, kinds(model), strict=True)
        if kind == "BATCH_MATMUL"
    ]
    assert len(second) == 4  # of two layers
    assert {int(tensor.quantization.zeroPoint[0]) for tensor in second} == {0}


@pytest.mark.slow
def test_a_loaded_student_gives_the_same_file(
    quantized, path, crops, tmp_path, monkeypatch
):
    quantized.save(tmp_path / "quantized.keras")
    loaded = load_model(tmp_path / "quantized.keras")
    monkeypatch.setattr(convert, "_last", {})
    files.export_quantized(loaded, tmp_path / "again.tflite", crops)
    expected, found = (
        open_runtime(file).run(crops) for file in (path, tmp_path / "again.tflite")
    )
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value)
