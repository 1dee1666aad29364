"""Multiply-accumulates and parameters of exported files, against hand-counted ones."""

import numpy as np
import pytest

from distilpose_keras.models.deploy import deploy
from distilpose_keras.profiling.files import file_products
from distilpose_keras.profiling.model import profile, profile_model
from tests.models.small import pictures, small


def tiny_onnx(path):
    """A convolution, a linear map either way round, and a product of activations."""
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    weights = {
        "kernel": np.zeros((4, 3, 3, 3), "float32"),
        "linear": np.zeros((6, 5), "float32"),
        "gemm": np.zeros((7, 20), "float32"),
        "bias": np.zeros(7, "float32"),
        "rows": np.array([-1, 20], "int64"),
    }
    nodes = [
        helper.make_node("Conv", ["image", "kernel"], ["conv"], pads=[1, 1, 1, 1]),
        helper.make_node("MatMul", ["conv", "linear"], ["mapped"]),
        helper.make_node("Transpose", ["mapped"], ["turned"], perm=[0, 1, 3, 2]),
        helper.make_node("MatMul", ["mapped", "turned"], ["similarity"]),
        helper.make_node("Reshape", ["mapped", "rows"], ["flat"]),
        helper.make_node("Gemm", ["flat", "gemm", "bias"], ["keypoints"], transB=1),
    ]
    outputs = {"similarity": ["n", 4, 8, 8], "keypoints": None}
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, 8, 6])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
            for name, shape in outputs.items()
        ],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    onnx.save(helper.make_model(graph), path)


def test_an_onnx_file_is_counted_as_by_hand(tmp_path):
    tiny_onnx(tmp_path / "tiny.onnx")
    figures = profile(tmp_path / "tiny.onnx")
    conv, linear = 8 * 6 * 4 * 27, 4 * 8 * 6 * 5
    gemm, attention = 8 * 20 * 7, 4 * 8 * 8 * 5
    total = conv + linear + gemm + attention
    assert figures.gmacs == pytest.approx(total / 1e9, rel=1e-6)
    assert figures.gflops_paper == pytest.approx((total - attention) / 1e9, rel=1e-6)
    assert figures.total_params == 108 + 30 + 140 + 7
    assert file_products(tmp_path / "tiny.onnx") == [
        (1, 8 * 6, 27, 4, True),
        (1, 4 * 8, 6, 5, True),
        (4, 8, 5, 8, False),
        (1, 8, 20, 7, True),
    ]
    assert figures.trainable_params is None
    assert figures.outputs == {"keypoints": [8, 7], "similarity": [1, 4, 8, 8]}


def test_onnx_products_of_integers_and_of_activations_count_too(tmp_path):
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    weights = {"int8": np.zeros((6, 5), "int8"), "zero": np.zeros((), "uint8")}
    values = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    parts = ["steps", "scale", "point"]
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["tokens"], parts),
        helper.make_node("MatMulInteger", ["steps", "int8", "point"], ["mapped"]),
        helper.make_node("Cast", ["mapped"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["float"], ["turned"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["float", "turned"], ["scores"]),
    ]
    tensor = helper.make_tensor_value_info
    inputs = [tensor("tokens", TensorProto.FLOAT, ["batch", 4, 6])]
    outputs = [tensor("scores", TensorProto.FLOAT, ["batch", 4, 4])]
    graph = helper.make_graph(nodes, "tokens", inputs, outputs, values)
    onnx.save(helper.make_model(graph), tmp_path / "tokens.onnx")
    figures = profile(tmp_path / "tokens.onnx")
    assert figures.gmacs == pytest.approx((4 * 6 * 5 + 4 * 4 * 5) / 1e9)
    assert figures.gflops_paper == pytest.approx(4 * 6 * 5 / 1e9)


def test_a_tflite_file_is_counted_as_by_hand(tmp_path):
    pytest.importorskip("ai_edge_litert")
    from tests.export.bare import depthwise_and_product

    (tmp_path / "tiny.tflite").write_bytes(depthwise_and_product())
    figures = profile(tmp_path / "tiny.tflite")
    depthwise, attention = 8 * 6 * 3 * 9, 4 * 5 * 7
    assert figures.gmacs == pytest.approx((depthwise + attention) / 1e9)
    assert figures.gflops_paper == pytest.approx(depthwise / 1e9)
    assert figures.outputs == {"map": [1, 8, 6, 3], "scores": [1, 4, 5]}
    found = file_products(tmp_path / "tiny.tflite")
    assert found == [(3, 8 * 6, 9, 1, True), (1, 4, 7, 5, False)]


def test_groups_of_a_convolution_are_products_of_their_own(tmp_path):
    onnx = pytest.importorskip("onnx")
    from onnx.helper import make_node

    from tests.export.bare import onnx_model

    node = make_node("Conv", ["image", "kernel"], ["map"], group=2, strides=[2, 2])
    proto = onnx_model(
        [node],
        image=(1, 6, 8, 10),
        outputs={"map": (1, 4, 4, 5)},
        constants={"kernel": np.ones((4, 3, 2, 2), "float32")},
    )
    onnx.save(proto, tmp_path / "groups.onnx")
    # Each output channel sees the 3 channels of its group, 2 by 2 pixels.
    assert file_products(tmp_path / "groups.onnx") == [(2, 4 * 5, 3 * 4, 2, True)]


@pytest.mark.slow
def test_exported_files_hold_the_deployed_graph(tmp_path):
    pytest.importorskip("tf2onnx")
    from distilpose_keras.export.onnx.write import export_onnx
    from distilpose_keras.export.tflite.write import export_tflite

    model = small()
    deployed = profile_model(deploy(model, batch_size=1))
    crops = pictures(16).astype("uint8")
    export_onnx(model, tmp_path / "float32.onnx")
    export_tflite(model, tmp_path / "float32.tflite")
    export_tflite(model, tmp_path / "int8.tflite", precision="int8", calibration=crops)
    for name in ("float32.onnx", "float32.tflite", "int8.tflite"):
        figures = profile(tmp_path / name)
        assert figures.model == name
        # Exporters may pad the first kernel with zeros for speed.
        assert 0.999 < figures.gmacs / deployed.gmacs < 1.1, name
        assert figures.outputs == deployed.outputs
        # The positions of the visual tokens are constants of the file.
        extra = figures.total_params - deployed.total_params
        assert 0 < extra < 2_000, name


@pytest.mark.parametrize("suffix", [".tflite", ".onnx"])
def test_damaged_files_are_named(tmp_path, suffix):
    pytest.importorskip("onnx" if suffix == ".onnx" else "ai_edge_litert")
    path = tmp_path / f"damaged{suffix}"
    path.write_bytes(b"not a model")
    with pytest.raises(ValueError, match=f"damaged{suffix}") as info:
        profile(path)
    assert "\n" not in str(info.value)
