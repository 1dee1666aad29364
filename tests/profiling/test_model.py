"""Multiply-accumulates and parameters, against published and hand-counted figures."""

import json

import keras
import numpy as np
import pytest

from distilpose_keras.models.deploy import deploy
from distilpose_keras.models.model import build_model
from distilpose_keras.models.presets import FIGURES, MODELS
from distilpose_keras.profiling.model import markdown_table, profile, profile_model
from tests.models import reference
from tests.models.small import small

# A GFLOPs figure of the paper's own, not quoted from other papers.
COUNTED_BY_THE_PAPER = (
    "distilpose_s",
    "distilpose_l",
    "tokenpose_stemnet",
    "tokenpose_hrnet_w48",
)
SLOW = {
    "tokenpose_hrnet_w48",
    "hrnet_w48",
    "rle_hrnet_w48",
    "simple_baseline_resnet152",
}
PUBLISHED = [
    pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else [])
    for name in MODELS
    if (reference.MODELS / f"{name}.npz").exists()
]


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_models_have_the_published_figures(name):
    figures = profile(name)
    assert figures.trainable_params == reference.trainable_params(name)
    assert figures.gmacs == pytest.approx(reference.gmacs(name), rel=1e-4, abs=5e-5)
    assert figures.total_params >= figures.trainable_params
    if name in COUNTED_BY_THE_PAPER:
        params, gflops = FIGURES[name].paper_params_m, FIGURES[name].paper_gflops
        digits = len(str(gflops).split(".")[1])
        assert round(figures.gflops_paper, digits) == gflops
        digits = len(str(params).split(".")[1])
        assert round(figures.trainable_params / 1e6, digits) == params


def test_every_published_model_is_compared():
    assert len(PUBLISHED) >= 11


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


def test_the_markdown_table_sets_the_papers_figures_beside_ours():
    table = markdown_table([profile("distilpose_s"), profile("demo_student")])
    _, _, published, own = table.splitlines()
    assert published == "| distilpose_s | 5.36 M | 5.36 M | 2.705 | 2.383 | 2.38 |"
    assert own.endswith("|  |")


def test_depthwise_convolutions_and_products_with_constants_count():
    images = keras.Input((8, 6, 3))
    x = keras.layers.DepthwiseConv2D(3, padding="same")(images)
    x = keras.ops.reshape(x, (-1, 48, 3))
    x = keras.ops.matmul(x, np.ones((3, 5), "float32"))
    figures = profile_model(keras.Model(images, {"y": x}))
    assert figures.gmacs * 1e9 == pytest.approx(8 * 6 * 3 * 9 + 48 * 5 * 3)
