"""Quantized ONNX graphs, step by step in NumPy."""

import numpy as np
import onnx
import pytest
from onnx.helper import make_node

from distilpose_keras.export.onnx import plan as onnx_plan
from distilpose_keras.export.onnx import quantize as onnx_quantize
from distilpose_keras.export.precision import DYNAMIC, FLOAT, INT8
from distilpose_keras.export.statistics import Range
from tests.export.bare import onnx_model
from tests.export.bare_onnx import (
    BIAS,
    IMAGE,
    KERNEL,
    RNG,
    TOKENS,
    WEIGHTS,
    channels_last,
    convolution,
    convolved,
    linear,
    run,
    steps_of,
)


def rounded(values, low, high):
    """Values at the 256 steps between two limits, one of which is zero itself."""
    scale = (high - low) / 255
    zero = np.rint(-low / scale)
    return (np.clip(np.rint(values / scale) + zero, 0, 255) - zero) * scale


def test_a_convolution_reads_and_writes_rounded_maps_with_rounded_weights():
    nodes = [
        make_node("Conv", ["image", "kernel", "bias"], ["map"], pads=[1, 0, 1, 0]),
        make_node("Neg", ["map"], ["keypoints"]),
    ]
    constants = {"kernel": KERNEL, "bias": BIAS}
    outputs = {"keypoints": (1, 4, 6, 3)}
    proto = onnx_model(nodes, image=IMAGE.shape, outputs=outputs, constants=constants)
    plan = onnx_plan.selective(proto)
    assert list(plan.values()) == [INT8, FLOAT]
    exact = convolved(IMAGE, KERNEL, BIAS)
    low, high = 0.8 * exact.min(), 0.8 * exact.max()  # some values are clipped
    ranges = {"image": Range(-1, 3, -9, 9), "map": Range(low, high, -99, 99)}
    found = -run(onnx_quantize.quantize(proto, plan, ranges, {}), IMAGE)
    scales = steps_of(channels_last(KERNEL))
    steps = np.rint(KERNEL / scales[:, None, None, None])
    kernel = steps * scales[:, None, None, None]
    bias = np.rint(BIAS / (scales * 4 / 255)) * scales * 4 / 255
    expected = rounded(convolved(rounded(IMAGE, -1, 3), kernel, bias), low, high)
    # A value between two steps may go either way.
    assert np.abs(found - expected).max() < 1.01 * (high - low) / 255
    assert np.mean(np.abs(found - expected) < 1e-4) > 0.95
    assert np.abs(exact - expected).max() > 2 * (high - low) / 255


def test_a_convolution_is_rounded_as_its_clipping_leaves_it():
    """Between the two it would be rounded by the steps of values that are cut off."""
    nodes = [
        make_node("Conv", ["image", "kernel", "bias"], ["map"], pads=[1, 0, 1, 0]),
        make_node("Clip", ["map", "none", "six"], ["clipped"]),
        make_node("Neg", ["clipped"], ["keypoints"]),
    ]
    constants = {"kernel": KERNEL, "bias": BIAS}
    constants |= {"none": np.float32(0), "six": np.float32(6)}
    outputs = {"keypoints": (1, 4, 6, 3)}
    proto = onnx_model(nodes, image=IMAGE.shape, outputs=outputs, constants=constants)
    plan = onnx_plan.selective(proto)
    ranges = {"image": Range(-1, 3, -9, 9), "map": Range(-40, 40, -40, 40)}
    ranges["clipped"] = Range(0, 6, 0, 6)
    quantized = onnx_quantize.quantize(proto, plan, ranges, {})
    readers = {
        name: node.op_type for node in quantized.graph.node for name in node.input
    }
    assert readers["map"] == "Clip" and readers["clipped"] == "QuantizeLinear"
    scales = steps_of(channels_last(KERNEL))
    kernel = np.rint(KERNEL / scales[:, None, None, None]) * scales[:, None, None, None]
    bias = np.rint(BIAS / (scales * 4 / 255)) * scales * 4 / 255
    clipped = np.clip(convolved(rounded(IMAGE, -1, 3), kernel, bias), 0, 6)
    assert np.count_nonzero((clipped > 0) & (clipped < 6)) > 10
    expected = rounded(clipped, 0, 6)
    # A value between two steps may go either way; steps of 80 / 255 are 13 of these.
    assert np.abs(-run(quantized, IMAGE) - expected).max() < 1.01 * 6 / 255


def test_each_channel_for_itself_has_a_scale_of_its_own():
    """Also where ONNX Runtime would round what it finds in floating point."""
    image = RNG.uniform(-1, 3, (1, 4, 6, 5)).astype("float32")
    kernel = RNG.normal(size=(4, 1, 3, 3)).astype("float32")
    kernel *= np.array([1, 10, 100, 1000], "float32")[:, None, None, None]
    nodes = [
        make_node("MaxPool", ["image"], ["source"], kernel_shape=[1, 1]),
        make_node("Conv", ["source", "kernel"], ["map"], pads=[1, 0, 1, 0], group=4),
        make_node("Neg", ["map"], ["keypoints"]),
    ]
    constants = {"kernel": kernel}
    outputs = {"keypoints": (1, 4, 6, 3)}
    proto = onnx_model(nodes, image=image.shape, outputs=outputs, constants=constants)
    plan = onnx_plan.selective(proto)
    assert list(plan.values()) == [INT8, INT8, FLOAT]
    ranges = dict.fromkeys(("image", "source"), Range(-1, 3, -9, 9))
    ranges["map"] = Range(-9, 9, -9, 9)  # the first channel's
    found = -run(onnx_quantize.quantize(proto, plan, ranges, {}), image)[0, 0]
    exact = convolved(image[:, :1], kernel[:1], np.zeros(1))[0, 0]
    # By one scale for all channels the first one's weights would be zeros.
    assert np.abs(exact).mean() > 2
    assert np.abs(found - exact).mean() < 0.05


def test_given_weights_take_the_place_of_the_nearest():
    proto = convolution()
    plan = onnx_plan.selective(proto)
    ranges = dict.fromkeys(("image", "keypoints"), Range(-40, 40, -40, 40))
    given = np.zeros((4, 3 * 3 * 8), np.int8)
    given[:, 8 * 2 + 2] = 127  # upper right, channel 2, as rows have it
    found = run(onnx_quantize.quantize(proto, plan, ranges, {"kernel": given}), IMAGE)
    largest = 127 * steps_of(channels_last(KERNEL))
    above = np.pad(IMAGE[:, 2:3, :-1, 2:], ((0, 0), (0, 0), (1, 0), (0, 0)))
    expected = above * largest[:, None, None] + BIAS[:, None, None]
    # Half a step of each activation, and half a step of the bias.
    bound = 0.5 * 80 / 255 * (largest.max() + 1) + 0.01
    assert np.abs(found - expected).max() < bound


def test_a_linear_map_rounds_its_activations_as_they_come():
    proto = linear()
    plan = onnx_plan.selective(proto)
    assert list(plan.values()) == [DYNAMIC]
    quantized = onnx_quantize.quantize(proto, plan, {}, {})
    assert "MatMulInteger" in {node.op_type for node in quantized.graph.node}
    scales = steps_of(WEIGHTS.T)
    weights = np.rint(WEIGHTS / scales) * scales
    for tokens in (TOKENS, 10 * TOKENS):  # no range was calibrated
        low, high = min(tokens.min(), 0), max(tokens.max(), 0)
        expected = rounded(tokens, low, high) @ weights
        np.testing.assert_allclose(
            run(quantized, tokens), expected, rtol=1e-3, atol=1e-3
        )


@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize("source", ["map", "image"])
def test_patches_become_a_linear_map_whose_output_is_not_rounded(source, with_bias):
    maps = RNG.uniform(-1, 3, (2, 8, 6, 4)).astype("float32")
    kernel = RNG.normal(size=(5, 8, 3, 2)).astype("float32")
    bias = ["bias"] if with_bias else []
    nodes = [
        make_node("MaxPool", ["image"], ["map"], kernel_shape=[1, 1]),
        make_node("Conv", [source, "kernel", *bias], ["keypoints"], strides=[3, 2]),
    ]
    proto = onnx_model(
        nodes if source == "map" else nodes[1:],
        image=maps.shape,
        outputs={"keypoints": (2, 5, 2, 2)},
        constants={"kernel": kernel, "bias": RNG.normal(size=5).astype("float32")},
    )
    plan = onnx_plan.selective(proto)
    assert list(plan.values())[-1] == DYNAMIC
    ranges = dict.fromkeys(("image", "map"), Range(-1.5, 3.5, -9, 9))
    quantized = onnx_quantize.quantize(proto, plan, ranges, {})
    assert "MatMulInteger" in {node.op_type for node in quantized.graph.node}
    low, high = (-1.5, 3.5) if source == "map" else (maps.min(), maps.max())
    read = rounded(maps.astype("float64"), low, high)
    scales = steps_of(channels_last(kernel))[:, None, None, None]
    weights = np.rint(kernel / scales) * scales
    patches = read.reshape(2, 8, 2, 3, 2, 2)
    expected = np.einsum("bcihjw,ochw->boij", patches, weights)
    if with_bias:
        stored = {tensor.name: tensor for tensor in proto.graph.initializer}["bias"]
        expected += onnx.numpy_helper.to_array(stored)[:, None, None]
    np.testing.assert_allclose(run(quantized, maps), expected, atol=1e-4)


def test_a_convolution_of_the_image_stays_in_floating_point():
    proto = convolution(KERNEL[:, :3], IMAGE[:, :3])
    plan = onnx_plan.selective(proto)
    assert list(plan.values()) == [FLOAT]
    image = IMAGE[:, :3]
    found = run(onnx_quantize.quantize(proto, plan, {}, {}), image)
    np.testing.assert_allclose(found, run(proto, image))


def test_the_plan_and_the_graph_given_are_left_alone():
    proto = convolution()
    before = proto.SerializeToString()
    ranges = dict.fromkeys(("image", "keypoints"), Range(-40, 40, -40, 40))
    onnx_quantize.quantize(proto, onnx_plan.selective(proto), ranges, {})
    assert proto.SerializeToString() == before


def test_pooling_keeps_the_scale_of_what_it_reads():
    ranges = {"image": Range(-1, 3, -1, 3), "pooled": Range(0, 2, 0, 2)}
    pool = make_node("MaxPool", ["image"], ["pooled"], kernel_shape=[2, 2])
    proto = onnx_model([pool], image=(1, 8, 6, 4), outputs={"pooled": (1, 8, 5, 3)})
    shared = onnx_quantize._shared(proto, ranges)
    assert shared["pooled"] == ranges["image"]


def test_only_what_is_summed_in_pairs_leaves_room_for_it():
    kernels = {"each": np.ones((8, 1, 3, 3)), "all": np.ones((8, 8, 3, 3))}
    nodes = [
        make_node("Conv", ["image", "each"], ["map"], group=8),
        make_node("Conv", ["map", "all"], ["wide"], pads=[1, 1, 1, 1]),
        make_node("Neg", ["wide"], ["keypoints"]),
    ]
    proto = onnx_model(
        nodes,
        image=(1, 8, 6, 5),
        outputs={"keypoints": (1, 8, 4, 3)},
        constants={name: kernel.astype("float32") for name, kernel in kernels.items()},
    )
    plan = onnx_plan.selective(proto)
    assert list(plan.values()) == [INT8, INT8, FLOAT]
    ranges = dict.fromkeys(("image", "map", "wide"), Range(-9, 9, -9, 9))
    quantized = onnx_quantize.quantize(proto, plan, ranges, {})
    stored = {
        t.name: onnx.numpy_helper.to_array(t) for t in quantized.graph.initializer
    }
    assert np.all(stored["each/quantized"] == 127)
    assert np.all(stored["all/quantized"] == 64)  # half of 127, rounded up
