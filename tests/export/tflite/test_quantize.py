"""Quantized TFLite graphs, operator by operator, against NumPy."""

import re

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from distilpose_keras.export.precision import DYNAMIC, FLOAT, INT8, Operator
from distilpose_keras.export.tflite import quantize as tflite_quantize
from distilpose_keras.export.tflite.graph import operators
from distilpose_keras.formats.tflite_file import read_model
from tests.export.bare import tflite

RNG = np.random.default_rng(0)
WEIGHTS = RNG.normal(size=(6, 32)).astype("float32")
X = RNG.normal(size=(1, 32)).astype("float32")


@pytest.fixture(scope="module")
def linear():
    """A file of one linear map."""
    return tflite(
        {"image": (1, 32), "keypoints": (1, 6)},
        [
            (
                "FULLY_CONNECTED",
                ["image", "weights"],
                "keypoints",
                schema.FullyConnectedOptionsT(),
            )
        ],
        constants={"weights": WEIGHTS},
        outputs=["keypoints"],
    )


def run(content, image):
    runner = Interpreter(model_content=content).get_signature_runner()
    return runner(image=image)["keypoints"]


def test_float16_weights_are_the_nearest_halves(linear):
    content = tflite_quantize.float16_weights(linear)
    halves = WEIGHTS.astype(np.float16)
    stored = [b.data for b in read_model(content).buffers if b.data is not None]
    assert any(bytes(data) == halves.tobytes() for data in stored)
    expected = X @ halves.astype(np.float32).T
    np.testing.assert_allclose(run(content, X), expected, rtol=1e-5)


def test_dynamic_weights_have_a_scale_per_output_and_may_be_given(linear):
    (operator,) = operators(linear)
    plan = {operator: DYNAMIC}
    scales = np.abs(WEIGHTS).max(axis=1, keepdims=True) / 127
    given = RNG.integers(-127, 128, WEIGHTS.shape).astype(np.int8)
    for rounded, steps in (
        (None, np.rint(WEIGHTS / scales)),
        ({"weights": given}, given),
    ):
        content = tflite_quantize.quantize(linear, plan, {}, rounded)
        # The row of activations has 127 steps on either side of zero.
        error = np.abs(run(content, X) - X @ (steps * scales).T)
        bound = 0.5 * np.abs(X).max() / 127 * np.abs(steps * scales).sum(axis=1)
        assert (error <= bound).all()


def test_a_plan_in_floating_point_changes_nothing(linear):
    plan = dict.fromkeys(operators(linear), FLOAT)
    assert tflite_quantize.quantize(linear, plan, {}) == linear


def test_an_operator_is_found_by_its_whole_name():
    names = ["model/a_1/add", "model/a_1/add_1", "b;c/(d)+e"]
    plan = {Operator(name, "ADD", 4, False): INT8 for name in names[:1] + names[2:]}
    plan[Operator(names[1], "ADD", 4, False)] = FLOAT
    plan[Operator("mul", "MUL", 4, False)] = DYNAMIC
    scopes = tflite_quantize._scopes(plan)
    assert set(scopes) == {("ADD", INT8), ("MUL", DYNAMIC)}
    found = [name for name in names if re.search(scopes["ADD", INT8], name)]
    assert found == [names[0], names[2]]
    # The quantizer appends a semicolon to the names of an operator's outputs.
    assert re.search(scopes["ADD", INT8], "model/a_1/add;")


def test_a_sum_is_widened_by_what_its_summands_really_are():
    shapes = {name: (1, 4) for name in ("image", "large", "reshaped", "sum", "fits")}
    content = tflite(
        shapes,
        [
            ("NEG", ["image"], "large", schema.NegOptionsT()),
            ("RESHAPE", ["large"], "reshaped", schema.ReshapeOptionsT(newShape=[1, 4])),
            ("ADD", ["reshaped", "image"], "sum", schema.AddOptionsT()),
            ("ADD", ["image", "image"], "fits", schema.AddOptionsT()),
        ],
        outputs=["sum", "fits"],
    )
    seen = dict.fromkeys(shapes, (-1.0, 1.0)) | {"large": (-(2.0**20), 0.0)}
    found = tflite_quantize._addable(content, seen)
    # 2^20 / 2^13; a reshaped tensor is as large as it was.
    assert found == seen | {"sum": (-128.0, 128.0)}


def test_a_convolution_whose_output_is_always_zero_can_be_opened():
    shapes = {"image": (1, 4, 4, 8), "keypoints": (1, 4, 4, 8)}
    options = schema.Conv2DOptionsT(strideH=1, strideW=1, padding=1)
    content = tflite(
        shapes,
        [("CONV_2D", ["image", "weights", "bias"], "keypoints", options)],
        constants={
            "weights": RNG.normal(size=(8, 1, 1, 8)).astype("float32"),
            "bias": np.full(8, -99, "float32"),
        },
        outputs=["keypoints"],
    )
    plan = dict.fromkeys(operators(content), INT8)
    ranges = {"image": (-4.0, 4.0), "keypoints": (0.0, 0.0)}
    quantized = tflite_quantize.quantize(content, plan, ranges)
    Interpreter(model_content=quantized).allocate_tensors()


def test_int8_is_chosen_for_convolutions_and_linear_maps(exported):
    content = exported("float32.tflite").read_bytes()
    chosen = tflite_quantize.selective(content)
    kinds = {
        value: {op.kind for op, v in chosen.items() if v == value}
        for value in (INT8, DYNAMIC)
    }
    assert kinds[INT8] == {"CONV_2D", "ADD", "PAD"}
    assert all(op.rank == 4 for op, v in chosen.items() if v == INT8)
    assert kinds[DYNAMIC] == {"FULLY_CONNECTED", "CONV_2D"}
    convolutions = [(op.label, v) for op, v in chosen.items() if op.kind == "CONV_2D"]
    # The image has three channels; the patches leave the feature maps.
    assert convolutions[0] == ("backbone-conv1", FLOAT)
    assert convolutions[-1] == ("keypoint_head-tokenhead-patch_to_embedding", DYNAMIC)
    assert {value for _, value in convolutions[1:-1]} == {INT8}
    maps = {op.label: v for op, v in chosen.items() if op.kind == "FULLY_CONNECTED"}
    few = [label.split("-")[-1] for label, value in maps.items() if value == FLOAT]
    # Two coordinates and one score for each keypoint.
    assert few == ["keypoints", "scores"]
