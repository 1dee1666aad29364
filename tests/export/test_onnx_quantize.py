"""Quantized ONNX graphs, step by step in NumPy."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx.helper import make_node

from distilpose_keras.export import onnx_quantize
from distilpose_keras.export.precision import DYNAMIC, FLOAT, INT8
from distilpose_keras.export.statistics import Range
from tests.export.bare import onnx_model

RNG = np.random.default_rng(0)
IMAGE = RNG.uniform(-1, 3, (1, 8, 6, 5)).astype("float32")
KERNEL = RNG.normal(size=(4, 8, 3, 3)).astype("float32")
BIAS = RNG.normal(size=4).astype("float32")
TOKENS = RNG.uniform(-1, 3, (1, 7, 16)).astype("float32")
WEIGHTS = RNG.normal(size=(16, 8)).astype("float32")


def run(proto, image):
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    return session.run(["keypoints"], {"image": image})[0]


def convolution(kernel=KERNEL, image=IMAGE):
    node = make_node(
        "Conv", ["image", "kernel", "bias"], ["keypoints"], pads=[1, 0, 1, 0]
    )
    size = (1, 4, image.shape[2], image.shape[3] - 2)
    constants = {"kernel": kernel, "bias": BIAS}
    outputs = {"keypoints": size}
    return onnx_model([node], image=image.shape, outputs=outputs, constants=constants)


def linear(weights=WEIGHTS):
    nodes = [make_node("MatMul", ["image", "weights"], ["keypoints"])]
    return onnx_model(
        nodes,
        image=TOKENS.shape,
        outputs={"keypoints": (1, 7, weights.shape[1])},
        constants={"weights": weights},
    )


def convolved(image, kernel, bias):
    """Convolve (1, C, H, W), one row of zeros above and below."""
    padded = np.pad(image.astype("float64"), ((0, 0), (0, 0), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded[0], (3, 3), (1, 2))
    return np.einsum("chwij,ocij->ohw", windows, kernel)[None] + bias[:, None, None]


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
    plan = onnx_quantize.selective(proto)
    assert list(plan.values()) == [INT8, FLOAT]
    exact = convolved(IMAGE, KERNEL, BIAS)
    low, high = 0.8 * exact.min(), 0.8 * exact.max()  # some values are clipped
    ranges = {"image": Range(-1, 3, -9, 9), "map": Range(low, high, -99, 99)}
    found = -run(onnx_quantize.quantize(proto, plan, ranges, {}), IMAGE)
    scales = np.abs(KERNEL).max(axis=(1, 2, 3)) / 127
    steps = np.rint(KERNEL / scales[:, None, None, None])
    kernel = steps * scales[:, None, None, None]
    bias = np.rint(BIAS / (scales * 4 / 255)) * scales * 4 / 255
    expected = rounded(convolved(rounded(IMAGE, -1, 3), kernel, bias), low, high)
    # A value between two steps may go either way.
    assert np.abs(found - expected).max() < 1.01 * (high - low) / 255
    assert np.mean(np.abs(found - expected) < 1e-4) > 0.95
    assert np.abs(exact - expected).max() > 2 * (high - low) / 255


def test_given_weights_take_the_place_of_the_nearest():
    proto = convolution()
    plan = onnx_quantize.selective(proto)
    ranges = dict.fromkeys(("image", "keypoints"), Range(-40, 40, -40, 40))
    given = np.zeros((4, 3 * 3 * 8), np.int8)
    given[:, 8 * 2 + 2] = 127  # upper right, channel 2, as rows have it
    found = run(onnx_quantize.quantize(proto, plan, ranges, {"kernel": given}), IMAGE)
    largest = np.abs(KERNEL).max(axis=(1, 2, 3))
    above = np.pad(IMAGE[:, 2:3, :-1, 2:], ((0, 0), (0, 0), (1, 0), (0, 0)))
    expected = above * largest[:, None, None] + BIAS[:, None, None]
    # Half a step of each activation, and half a step of the bias.
    bound = 0.5 * 80 / 255 * (largest.max() + 1) + 0.01
    assert np.abs(found - expected).max() < bound


def test_a_linear_map_rounds_its_activations_as_they_come():
    proto = linear()
    plan = onnx_quantize.selective(proto)
    assert list(plan.values()) == [DYNAMIC]
    quantized = onnx_quantize.quantize(proto, plan, {}, {})
    assert "MatMulInteger" in {node.op_type for node in quantized.graph.node}
    scales = np.abs(WEIGHTS).max(axis=0) / 127
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
    plan = onnx_quantize.selective(proto)
    assert list(plan.values())[-1] == DYNAMIC
    ranges = dict.fromkeys(("image", "map"), Range(-1.5, 3.5, -9, 9))
    quantized = onnx_quantize.quantize(proto, plan, ranges, {})
    assert "MatMulInteger" in {node.op_type for node in quantized.graph.node}
    low, high = (-1.5, 3.5) if source == "map" else (maps.min(), maps.max())
    read = rounded(maps.astype("float64"), low, high)
    scales = np.abs(kernel).max(axis=(1, 2, 3), keepdims=True) / 127
    weights = np.rint(kernel / scales) * scales
    patches = read.reshape(2, 8, 2, 3, 2, 2)
    expected = np.einsum("bcihjw,ochw->boij", patches, weights)
    if with_bias:
        stored = {tensor.name: tensor for tensor in proto.graph.initializer}["bias"]
        expected += onnx.numpy_helper.to_array(stored)[:, None, None]
    np.testing.assert_allclose(run(quantized, maps), expected, atol=1e-4)


@pytest.mark.parametrize(
    "options, reader",
    [
        ({"strides": [2, 3]}, None),
        ({"strides": [3, 2], "pads": [0, 1, 0, 1]}, None),
        ({"strides": [3, 2]}, "Relu"),
        ({"strides": [3, 2]}, "MaxPool"),
        ({"strides": [3, 2], "dilations": [1, 2]}, None),
        ({"strides": [3, 2], "group": 2}, None),
        ({"strides": [3, 2]}, "remainder"),
    ],
    ids="overlapping padded with_relu read_as_a_map dilated grouped remainder".split(),
)
def test_other_convolutions_are_not_taken_for_patches(options, reader):
    channels = 16 if "group" in options else 8
    height = 11 if reader == "remainder" else 12
    kernel = np.ones((8, 8, 3, 2), "float32")
    nodes = [make_node("Conv", ["image", "kernel"], ["keypoints"], **options)]
    if reader in ("Relu", "MaxPool"):
        nodes[0].output[0] = "map"
        shape = {"kernel_shape": [1, 1]} if reader == "MaxPool" else {}
        nodes.append(make_node(reader, ["map"], ["keypoints"], **shape))
    proto = onnx_model(
        nodes,
        image=(1, channels, height, 12),
        outputs={"keypoints": (1, 8, None, None)},
        constants={"kernel": kernel},
    )
    assert list(onnx_quantize.selective(proto).values())[0] == INT8


def test_a_linear_map_to_few_outputs_stays_in_floating_point():
    proto = linear(WEIGHTS[:, :7])
    assert list(onnx_quantize.selective(proto).values()) == [FLOAT]


def test_a_convolution_of_the_image_stays_in_floating_point():
    proto = convolution(KERNEL[:, :3], IMAGE[:, :3])
    plan = onnx_quantize.selective(proto)
    assert list(plan.values()) == [FLOAT]
    image = IMAGE[:, :3]
    found = run(onnx_quantize.quantize(proto, plan, {}, {}), image)
    np.testing.assert_allclose(found, run(proto, image))


def test_the_plan_and_the_graph_given_are_left_alone():
    proto = convolution()
    before = proto.SerializeToString()
    ranges = dict.fromkeys(("image", "keypoints"), Range(-40, 40, -40, 40))
    onnx_quantize.quantize(proto, onnx_quantize.selective(proto), ranges, {})
    assert proto.SerializeToString() == before


def test_pooling_keeps_the_scale_of_what_it_reads():
    ranges = {"image": Range(-1, 3, -1, 3), "pooled": Range(0, 2, 0, 2)}
    pool = make_node("MaxPool", ["image"], ["pooled"], kernel_shape=[2, 2])
    proto = onnx_model([pool], image=(1, 8, 6, 4), outputs={"pooled": (1, 8, 5, 3)})
    shared = onnx_quantize._shared(proto, ranges)
    assert shared["pooled"] == ranges["image"]


@pytest.mark.parametrize("kind", ["Conv", "MatMul"])
def test_rows_times_weights_are_what_a_layer_computes(kind):
    proto, image = (convolution(), IMAGE) if kind == "Conv" else (linear(), TOKENS)
    ((layer, weights),) = onnx_quantize.weighted_layers(proto).items()
    value = image.transpose(0, 2, 3, 1) if kind == "Conv" else image
    found = layer.rows(value) @ weights.T
    expected = run(proto, image)
    if kind == "Conv":
        found = found + BIAS
        expected = expected.transpose(0, 2, 3, 1)
    np.testing.assert_allclose(found, expected.reshape(found.shape), atol=1e-4)


def test_a_graph_returns_its_maps_channels_last():
    proto = convolution()
    layers = onnx_quantize.weighted_layers(proto)
    values = onnx_quantize.open_with_outputs(proto, layers)(IMAGE)
    np.testing.assert_array_equal(values["image"], IMAGE.transpose(0, 2, 3, 1))
    expected = convolved(IMAGE, KERNEL, BIAS).transpose(0, 2, 3, 1)
    np.testing.assert_allclose(values["keypoints"], expected, atol=1e-4)
    assert set(values) == {"image", "keypoints"}
    onnx.checker.check_model(proto)


def test_a_students_patches_and_linear_maps_are_products_of_integers(exported):
    proto = onnx.load(exported("float32.onnx"))
    chosen = onnx_quantize.selective(proto)
    convolutions = [value for op, value in chosen.items() if op.kind == "Conv"]
    # The image has three channels; the last convolution cuts the patches.
    assert convolutions[0] == FLOAT
    assert convolutions[-1] == DYNAMIC
    assert set(convolutions[1:-1]) == {INT8}
    maps = [op for op in chosen if op.kind == "MatMul" and op.weighted]
    # Three layers of six maps; two coordinates and one score for each keypoint.
    assert [chosen[op] for op in maps] == [DYNAMIC] * 18 + [FLOAT] * 2
    kinds = [n.op_type for n in onnx.load(exported("int8.onnx")).graph.node]
    assert kinds.count("MatMulInteger") == 19
