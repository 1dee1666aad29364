"""The fake-quantized graph: where it rounds, and how closely it follows the graph."""

import collections

import keras
import numpy as np
import pytest

from distilpose_keras.models.deploy import deploy
from distilpose_keras.quantization import graph as graphs
from distilpose_keras.quantization.layers import FakeQuantize


@pytest.fixture(scope="module")
def deployed(student):
    return deploy(student, for_integers=True)


@pytest.fixture(scope="module")
def ranges(deployed, crops):
    return graphs.operation_ranges(deployed, crops, batch_size=16)


def test_ranges_are_the_mean_of_the_batches_extremes(deployed, ranges, crops):
    layer = deployed.get_layer("backbone-conv1")
    values = keras.Model(deployed.inputs, layer.output)
    halves = [np.array(values(crops[i : i + 16].astype("f"))) for i in (0, 16)]
    low, high = ranges["backbone-conv1"]
    assert low == pytest.approx(np.mean([half.min() for half in halves]), abs=1e-5)
    assert high == pytest.approx(np.mean([half.max() for half in halves]), rel=1e-4)


def test_the_steps_of_a_norm_have_ranges(ranges):
    low, high = ranges["keypoint_head-tokenhead-mlp_head-0-1/squares"]
    assert low >= 0
    assert 0 < ranges["keypoint_head-tokenhead-mlp_head-0-1/mean"][1] < high
    # The second norm finds variances of 1.
    low, high = ranges["keypoint_head-tokenhead-mlp_head-0/variance"]
    assert 0.9 < low <= high < 1.01


def test_the_graph_predicts_what_it_did_up_to_rounding(deployed, ranges, crops):
    fake = graphs.FakeQuantizedGraph(deployed, ranges).model
    images = crops.astype("float32")
    found, expected = fake(images), deployed(images)
    for name, wanted in expected.items():
        error = np.abs(np.array(found[name] - wanted)).mean()
        assert 0 < error < 0.15 * np.array(wanted).std() + 1 / 256


def test_every_operator_reads_rounded_values(deployed, ranges):
    fake = graphs.FakeQuantizedGraph(deployed, ranges)
    counts = collections.Counter()
    for operation, inputs in calls(fake.model):
        kind = type(operation).__name__
        if kind in ("FakeQuantizedConv2D", "FakeQuantizedDense", "Matmul", "Softmax"):
            counts[kind] += 1
            assert {bits(x) for x in inputs} == {8}, operation.name
        if kind in ("Mean", "Rsqrt", "Square"):
            counts[kind] += 1
            assert {bits(x) for x in inputs} == {16}, operation.name
    norms, layers = 5, 2
    assert counts["Matmul"] == 2 * counts["Softmax"] == 2 * layers
    assert counts["Rsqrt"] == counts["Square"] == counts["Mean"] == 3 * norms
    assert counts["FakeQuantizedDense"] == 6 * layers + 2
    assert counts["FakeQuantizedConv2D"] == 7


def test_the_residual_stream_has_16_bits(deployed, ranges):
    fake = graphs.FakeQuantizedGraph(deployed, ranges)
    assert {bits(stream) for stream in fake.norm_inputs.values()} == {16}


def test_the_parts_of_a_gelu_are_not_rounded(deployed, ranges):
    fake = graphs.FakeQuantizedGraph(deployed, ranges)
    erfs = [inputs for op, inputs in calls(fake.model) if type(op).__name__ == "Erf"]
    assert len(erfs) == 2
    for (tensor,) in erfs:
        assert type(origin(tensor)[0]).__name__ == "Multiply"


def test_a_graph_with_float_kernels_keeps_its_roundings(deployed, ranges, crops):
    fake = graphs.FakeQuantizedGraph(deployed, ranges).model
    plain = graphs.with_float_kernels(fake)
    assert sum(map(is_rounding, plain.layers)) == sum(map(is_rounding, fake.layers))
    kernel = plain.get_layer("backbone-conv2").kernel
    np.testing.assert_array_equal(kernel, deployed.get_layer("backbone-conv2").kernel)


def is_rounding(layer):
    return isinstance(layer, FakeQuantize)


def origin(tensor):
    """The operation that makes a tensor and what it reads to do so."""
    operation, node, _ = tensor._keras_history
    return operation, operation._inbound_nodes[node].input_tensors


def calls(model):
    """All that happens between a graph's inputs and outputs: operations, inputs."""
    waiting, seen = list(model.outputs), {}
    while waiting:
        tensor = waiting.pop()
        if id(tensor) not in seen:
            seen[id(tensor)] = origin(tensor)
            waiting += seen[id(tensor)][1]
    return seen.values()


def bits(tensor):
    """Bits that a tensor was rounded to, perhaps before it was moved."""
    operation, inputs = origin(tensor)
    while type(operation).__name__ in graphs.MOVES:
        operation, inputs = origin(inputs[0])
    return operation.num_bits


def test_what_products_read_second_has_its_zero_at_step_0(deployed, ranges):
    fake = graphs.FakeQuantizedGraph(deployed, ranges).model
    roundings = [x for x in fake.layers if isinstance(x, FakeQuantize)]
    narrow = [x for x in roundings if x.symmetric and x.num_bits == 8]
    names = [x.name.rsplit("-fn-")[-1] for x in narrow]
    assert names == ["to_k-int8", "to_v-int8"] * 2  # of two layers
    for layer in narrow:
        low, high = layer.get_weights()
        assert low == pytest.approx(-high * 128 / 127)
