"""Mixed precision: the layers that hurt give way, as few as are needed."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from distilpose_keras.export import sensitivity
from distilpose_keras.export.onnx.write import tidy_onnx
from distilpose_keras.export.precision import DYNAMIC, FLOAT, INT8, INT16, Operator
from distilpose_keras.export.quantizers import ONNXQuantizer, TFLiteQuantizer
from distilpose_keras.formats.metadata import read_metadata
from distilpose_keras.formats.runtimes import open_runtime
from distilpose_keras.formats.tflite_file import read_model


@pytest.fixture(scope="module")
def quantizer(student, crops):
    return ONNXQuantizer(student, "int8", crops)


@pytest.fixture(scope="module")
def errors(quantizer, crops):
    return sensitivity.layer_errors(quantizer, crops[:2])


def test_every_quantized_operator_is_measured(quantizer, errors):
    quantized = {op for op, value in quantizer.plan.items() if value != FLOAT}
    assert errors.keys() == quantized
    assert all(error >= 0 for error in errors.values())
    assert len(set(errors.values())) > len(errors) / 2


def test_a_damaged_layer_is_found(student, crops, monkeypatch):
    quantizer = ONNXQuantizer(student, "int8", crops)
    (victim,) = [
        operator
        for operator in quantizer.plan
        if operator.kind == "MatMul" and "2-1-fn-fn-net-0" in operator.label
    ]
    build = quantizer.build

    def damage(plan):
        if plan[victim] == FLOAT:
            return build(plan)
        graph = quantizer.graph
        quantizer.graph = tidy_onnx(student)
        weights = quantizer.graph.graph.initializer
        (kernel,) = [tensor for tensor in weights if tensor.name == victim.origin]
        kernel.raw_data = bytes(len(kernel.raw_data))
        try:
            return build(plan)
        finally:
            quantizer.graph = graph

    monkeypatch.setattr(quantizer, "build", damage)
    errors = sensitivity.layer_errors(quantizer, crops[:2])
    assert max(errors, key=errors.get) == victim


@pytest.mark.parametrize("needed", [0, 1, 2, 3, 5, 8])
def test_the_fewest_of_the_worst_operators_are_widened(needed):
    layers = [Operator(f"m/layer_{i}/MatMul", "MatMul", 3, True) for i in range(8)]
    plan = dict.fromkeys(layers, DYNAMIC)
    errors = {layer: i % 8 for i, layer in enumerate(layers)}
    quantizer = SimpleNamespace(
        plan=plan, wider=lambda operator, precision: FLOAT, precision="int8"
    )

    def drop(candidate):
        return 1.0 - sum(p == FLOAT for p in candidate.values()) / 10

    limit = 1.0 - needed / 10
    chosen, lost = sensitivity._refine(quantizer, errors, drop, limit)
    assert {op for op, p in chosen.items() if p == FLOAT} == set(layers[8 - needed :])
    assert lost == pytest.approx(limit)


def test_operators_are_widened_twice_where_once_is_too_little():
    layers = [Operator(f"m/layer_{i}/CONV_2D", "CONV_2D", 4, True) for i in range(3)]
    steps = {INT8: DYNAMIC, DYNAMIC: FLOAT, FLOAT: FLOAT}
    quantizer = SimpleNamespace(
        plan=dict.fromkeys(layers, INT8),
        wider=lambda operator, precision: steps[precision],
        precision="int8",
    )
    errors = {layer: i for i, layer in enumerate(layers)}

    def drop(candidate):
        return 0.0 if candidate[layers[2]] == FLOAT else 1.0

    chosen, _ = sensitivity._refine(quantizer, errors, drop, 0.5)
    assert chosen == {layers[0]: DYNAMIC, layers[1]: DYNAMIC, layers[2]: FLOAT}


def test_a_limit_out_of_reach_is_an_error():
    layer = Operator("m/layer_1/MatMul", "MatMul", 3, True)
    quantizer = SimpleNamespace(
        plan={layer: INT8},
        wider=lambda operator, precision: FLOAT,
        precision="int8",
    )
    with pytest.raises(ValueError, match="int8 loses 9.00 AP points even with every"):
        sensitivity._refine(quantizer, {layer: 1.0}, lambda plan: 9.0, 0.5)


def test_int8_full_gives_way_to_16_bits(student, crops, tmp_path):
    quantizer = TFLiteQuantizer(student, "int8-full", crops)
    narrow = [op for op, p in quantizer.plan.items() if p == INT8]
    errors = {operator: i for i, operator in enumerate(narrow)}

    def drop(candidate):
        return 1.0 if sum(candidate[op] == INT16 for op in narrow) < 3 else 0.0

    plan, _ = sensitivity._refine(quantizer, errors, drop, 0.5)
    widened = [op for op in narrow if plan[op] == INT16]
    assert widened == narrow[-3:]
    path = tmp_path / "student.tflite"
    path.write_bytes(quantizer.build(plan))
    found = open_runtime(path).run(crops[:1])  # the runtime knows these kernels
    assert np.isfinite(found["keypoints"]).all()
    tensors = read_model(path.read_bytes()).subgraphs[0].tensors
    types = {tensor.name.decode().rstrip(";"): tensor.type for tensor in tensors}
    # Outputs of the graph have other names, and are int8 whatever makes them.
    inner = [op.name for op in widened if op.name in types]
    assert inner
    assert {types[name] for name in inner} == {schema.TensorType.INT16}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("int8.tflite", marks=pytest.mark.slow),
        pytest.param("int8-full.tflite", marks=pytest.mark.slow),
        "int8.onnx",
    ],
)
def test_export_within_writes_file_report_and_plot(
    name, student, crops, people, tmp_path, monkeypatch
):
    monkeypatch.setattr(sensitivity, "SENSITIVITY_CROPS", 2)
    path, report = tmp_path / f"student_{name}", tmp_path / "layers.json"
    precision = name.split(".")[0]
    result = sensitivity.export_within(
        student,
        path,
        precision=precision,
        calibration=crops,
        people=people,
        max_ap_drop=0.5,
        report=report,
    )
    assert read_metadata(path)["precision"] == precision
    assert json.loads(report.read_text()) == result
    assert report.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    assert result["ap_drop"] <= 0.5
    assert {"layer", "operator", "error_px", "precision"} == result["layers"][0].keys()
    names = [layer["layer"] for layer in result["layers"]]
    assert "backbone-conv2" in names
    assert len(names) > 20
