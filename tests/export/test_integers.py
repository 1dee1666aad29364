"""Integer plans: which operators have 16 bits, and what ranges they get."""

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from distilpose_keras.export import integers
from distilpose_keras.export.convert import float_tflite
from distilpose_keras.export.precision import INT8, INT16
from distilpose_keras.export.quantizers import TFLiteQuantizer
from distilpose_keras.export.statistics import Range
from distilpose_keras.export.tflite import quantize as tflite_quantize
from distilpose_keras.export.tflite.graph import squares_as_products
from distilpose_keras.formats.runtimes import open_runtime
from distilpose_keras.formats.tflite_file import read_model
from distilpose_keras.models.model import build_model

SEEN = Range(low=-1.0, high=2.0, lowest=-3.0, highest=4.0)
SYMMETRIC = (-2.0 * 128 / 127, 2.0)  # of 8 bits, with zero at the step 0


@pytest.fixture(scope="module")
def content(student):
    return squares_as_products(float_tflite(student, for_integers=True))


@pytest.fixture(scope="module")
def plan(content):
    return integers.integer_plan(content)


@pytest.fixture(scope="module")
def ranges(content, plan):
    image = read_model(content).subgraphs[0].tensors[0].name.decode()
    names = {operator.name for operator in plan} | {image}
    return integers.planned_ranges(content, plan, dict.fromkeys(names, SEEN))


def graph_names(content):
    """(name of the output, names of the inputs) of each operator."""
    graph = read_model(content).subgraphs[0]
    names = [tensor.name.decode() for tensor in graph.tensors]
    return [
        (names[op.outputs[0]], [names[i] for i in op.inputs if i >= 0])
        for op in graph.operators
    ]


def test_everything_on_the_residual_stream_has_16_bits(content, plan):
    by_name = {operator.name: operator for operator in plan}
    stream = {op.name for op in plan if op.kind == "CONCATENATION"}
    assert stream
    for name, inputs in graph_names(content):
        adds = by_name[name].kind in ("ADD", "STRIDED_SLICE")
        if adds and stream & set(inputs):
            stream.add(name)
    assert len(stream) > 2 * 3  # two additions in each of three layers
    assert {plan[by_name[name]] for name in stream} == {INT16}


def test_matrix_products_and_convolutions_have_8_bits(plan):
    kinds = {op.kind for op, precision in plan.items() if precision == INT8}
    assert {"CONV_2D", "FULLY_CONNECTED", "BATCH_MATMUL", "SOFTMAX", "GELU"} <= kinds


def test_16_bits_have_room_unless_8_bits_read_them(content, plan, ranges):
    precisions = {operator.name: precision for operator, precision in plan.items()}
    kinds = {operator.name: operator.kind for operator in plan}
    narrow = {
        name
        for out, inputs in graph_names(content)
        for name in inputs
        if precisions[out] == INT8
    }
    counts = {True: 0, False: 0}
    for name, precision in precisions.items():
        if precision == INT16 and kinds[name] != "RSQRT":
            counts[name in narrow] += 1
            assert ranges[name] == ((-1, 2) if name in narrow else (-6, 8))
        if precision == INT8:
            assert ranges[name] in ((-1, 2), SYMMETRIC)
    assert min(counts.values()) > 5


def test_keys_and_values_are_symmetric_back_to_their_linear_maps(plan, ranges):
    layers = 3  # of the demo student
    centered = [op.kind for op in plan if ranges[op.name] == SYMMETRIC]
    assert centered.count("FULLY_CONNECTED") == 2 * layers
    assert centered.count("TRANSPOSE") == 2 * layers
    assert set(centered) == {"FULLY_CONNECTED", "RESHAPE", "TRANSPOSE"}


def test_pixels_keep_their_values(content, ranges):
    graph = read_model(content).subgraphs[0]
    assert ranges[graph.tensors[graph.inputs[0]].name.decode()] == (0, 255)


def test_an_inverse_square_root_is_cut_where_its_table_begins(content, plan, ranges):
    inverses = [op.name for op in plan if op.kind == "RSQRT"]
    assert len(inverses) == 3 * 7  # three for each norm
    # The variance goes to 8 in 2^15 steps: its 128th is 1 / 32.
    for name in inverses:
        assert ranges[name] == (0, pytest.approx(2 * 32**0.5))


def test_tokens_of_very_different_size_are_normalised(student, crops, tmp_path):
    """In trained students visual tokens are up to 500 times as large as the others."""
    model = build_model("demo_student")
    model.set_weights(student.get_weights())
    patches = model.get_layer("keypoint_head-tokenhead-patch_to_embedding")
    patches.kernel.assign(100 * patches.kernel)
    quantizer = TFLiteQuantizer(model, "int8-full", crops)
    path = tmp_path / "student.tflite"
    path.write_bytes(quantizer.build(quantizer.plan))
    found, expected = (open_runtime(m).run(crops)["keypoints"] for m in (path, model))
    assert np.abs(found - expected).mean() < 0.3 * expected.std()


def test_a_sum_has_a_range_that_the_runtime_can_add_in(content, plan, tmp_path):
    stream = next(op.name for op in plan if op.kind == "CONCATENATION")
    seen = {operator.name: (-1.0, 1.0) for operator in plan} | {stream: (-1e6, 1e6)}
    ranges = tflite_quantize._addable(content, seen)
    (first,) = [
        name
        for name, inputs in graph_names(content)
        if stream in inputs and any(op.kind == "ADD" for op in plan if op.name == name)
    ]
    assert ranges[first] == (-1e6 / 2**13, 1e6 / 2**13)
    del ranges[first], seen[first]
    assert ranges == seen
    path = tmp_path / "student.tflite"
    image = read_model(content).subgraphs[0].inputs[0]
    image = read_model(content).subgraphs[0].tensors[image].name.decode()
    seen |= {first: (-1.0, 1.0), image: integers.IMAGE_RANGE}
    path.write_bytes(
        tflite_quantize.quantize(content, plan, seen, integer_interface=True)
    )
    Interpreter(str(path)).allocate_tensors()  # without room this ends the process
