"""Multiply-accumulates and parameters, against published and hand-counted figures."""

import json

import keras
import numpy as np
import pytest

from distilpose_keras.models.build import build_model, deploy
from distilpose_keras.models.configs import MODELS
from distilpose_keras.profiling import PAPER, markdown_table, profile, profile_model
from tests.models import reference
from tests.models.small import pictures, small

# A GFLOPs figure of the paper's own, not quoted from other papers.
COUNTED_BY_THE_PAPER = (
    "distilpose_s",
    "distilpose_l",
    "tokenpose_stemnet",
    "tokenpose_hrnet_w48",
)
SLOW = {"tokenpose_hrnet_w48", "hrnet_w48", "simple_baseline_resnet152"}
PUBLISHED = [
    pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else [])
    for name in MODELS
    if (reference.MODELS / f"{name}.json").exists()
]


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_models_have_the_published_figures(name):
    figures = profile(name)
    expected = reference.description(name)
    assert figures.trainable_params == expected["trainable_params"]
    assert figures.gmacs == pytest.approx(expected["gmacs"], rel=1e-4)
    assert figures.total_params > figures.trainable_params
    if name in COUNTED_BY_THE_PAPER:
        params, gflops = PAPER[name]
        digits = len(str(gflops).split(".")[1])
        assert round(figures.gflops_paper, digits) == gflops
        digits = len(str(params).split(".")[1])
        assert round(figures.trainable_params / 1e6, digits) == params


def test_every_published_model_is_compared():
    assert len(PUBLISHED) == 11


def test_a_small_graph_is_counted_as_by_hand():
    image = keras.Input((8, 6, 3))
    x = keras.layers.Conv2D(4, 3, padding="same", use_bias=False)(image)
    x = keras.layers.BatchNormalization()(x)
    x = keras.ops.relu(x)
    x = keras.layers.Conv2DTranspose(2, 4, strides=2, padding="same")(x)
    x = keras.ops.reshape(x, (-1, 16 * 12, 2))
    x = keras.layers.Dense(5)(x)
    x = keras.ops.matmul(x, keras.ops.transpose(x, (0, 2, 1)))
    figures = profile_model(keras.Model(image, {"similarity": x}, name="small"))
    conv = 8 * 6 * 4 * 27
    deconv = 8 * 6 * 4 * 2 * 16  # every input value meets 16 taps of 2 filters
    dense = 192 * 2 * 5
    assert figures.gmacs == pytest.approx(
        (conv + deconv + dense + 192**2 * 5) / 1e9, rel=1e-6
    )
    elementwise = 8 * 6 * 4 * (2 + 1)
    paper = conv + deconv + dense + elementwise
    assert figures.gflops_paper == pytest.approx(paper / 1e9, rel=1e-6)
    assert figures.trainable_params == 108 + 8 + 130 + 15
    assert figures.total_params == figures.trainable_params + 8
    assert figures.outputs == {"similarity": [1, 192, 192]}


def test_deployment_saves_the_last_layers_visual_tokens():
    model = build_model("distilpose_s")
    before, after = profile_model(model), profile_model(deploy(model, batch_size=1))
    # For 256 visual tokens: queries, output map and MLP (2 * 192 * 576 each), and
    # both products of their attention to 273 tokens. Two sigmas for 17 keypoints.
    saved = 256 * (2 * 192**2 + 2 * 192 * 576 + 2 * 273 * 192) + 17 * 2 * 192
    assert before.gmacs - after.gmacs == pytest.approx(saved / 1e9, rel=1e-6)


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
    assert figures.trainable_params is None
    assert figures.outputs == {"keypoints": [8, 7], "similarity": [1, 4, 8, 8]}


@pytest.mark.slow
def test_exported_files_hold_the_deployed_graph(tmp_path):
    pytest.importorskip("tf2onnx")
    from distilpose_keras.export.onnx import export_onnx
    from distilpose_keras.export.tflite import export_tflite

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


def test_a_keras_file_is_profiled_under_its_name(tmp_path):
    model = small()
    model.save(tmp_path / "student.keras")
    figures = profile(tmp_path / "student.keras")
    assert figures.model == "student.keras"
    assert figures.gmacs == profile_model(model).gmacs
    assert json.loads(json.dumps(figures.to_dict()))["outputs"]["scores"] == [1, 17, 1]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("distilpose_xl", "unknown model 'distilpose_xl'"),
        ("absent.keras", "no such model file: absent.keras"),
        ("absent.tflite", "no such model file: absent.tflite"),
    ],
)
def test_what_is_not_there_is_named(name, message):
    with pytest.raises(ValueError, match=message):
        profile(name)


@pytest.mark.parametrize("suffix", [".tflite", ".onnx"])
def test_damaged_files_are_named(tmp_path, suffix):
    pytest.importorskip("onnx" if suffix == ".onnx" else "ai_edge_litert")
    path = tmp_path / f"damaged{suffix}"
    path.write_bytes(b"not a model")
    with pytest.raises(ValueError, match=f"damaged{suffix}") as info:
        profile(path)
    assert "\n" not in str(info.value)


def test_the_markdown_table_sets_the_papers_figures_beside_ours():
    table = markdown_table([profile("distilpose_s"), profile("demo_student")])
    _, _, published, own = table.splitlines()
    assert published == "| distilpose_s | 5.36 M | 5.36 M | 2.705 | 2.383 | 2.38 |"
    assert own.endswith("|  |")
