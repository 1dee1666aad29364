"""What is chosen for each operator of an ONNX graph, and what layers see."""

import numpy as np
import onnx
import pytest
from onnx.helper import make_node

from distilpose_keras.export.onnx import plan as onnx_plan
from distilpose_keras.export.precision import DYNAMIC, FLOAT, INT8
from tests.export.bare import onnx_model
from tests.export.bare_onnx import (
    BIAS,
    IMAGE,
    KERNEL,
    TOKENS,
    WEIGHTS,
    convolution,
    convolved,
    linear,
    run,
)


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
    assert list(onnx_plan.selective(proto).values())[0] == INT8


def test_a_linear_map_to_few_outputs_stays_in_floating_point():
    proto = linear(WEIGHTS[:, :7])
    assert list(onnx_plan.selective(proto).values()) == [FLOAT]


@pytest.mark.parametrize("kind", ["Conv", "MatMul"])
def test_rows_times_weights_are_what_a_layer_computes(kind):
    proto, image = (convolution(), IMAGE) if kind == "Conv" else (linear(), TOKENS)
    ((layer, weights),) = onnx_plan.weighted_layers(proto).items()
    value = image.transpose(0, 2, 3, 1) if kind == "Conv" else image
    found = layer.rows(value) @ weights.T
    expected = run(proto, image)
    if kind == "Conv":
        found = found + BIAS
        expected = expected.transpose(0, 2, 3, 1)
    np.testing.assert_allclose(found, expected.reshape(found.shape), atol=1e-4)


def test_a_graph_returns_its_maps_channels_last():
    proto = convolution()
    layers = onnx_plan.weighted_layers(proto)
    values = onnx_plan.open_with_outputs(proto, layers)(IMAGE)
    np.testing.assert_array_equal(values["image"], IMAGE.transpose(0, 2, 3, 1))
    expected = convolved(IMAGE, KERNEL, BIAS).transpose(0, 2, 3, 1)
    np.testing.assert_allclose(values["keypoints"], expected, atol=1e-4)
    assert set(values) == {"image", "keypoints"}
    onnx.checker.check_model(proto)


def test_a_students_patches_and_linear_maps_are_products_of_integers(exported):
    proto = onnx.load(exported("float32.onnx"))
    chosen = onnx_plan.selective(proto)
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
