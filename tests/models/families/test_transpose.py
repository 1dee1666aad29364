"""TransPose: published weights give the published heatmaps and keypoints."""

import keras
import numpy as np
import pytest

from distilpose_keras.geometry import ALIGNED
from distilpose_keras.models.backbones import ResNet
from distilpose_keras.models.checkpoints import load_checkpoint, state_dict
from distilpose_keras.models.encoder import Encoder
from distilpose_keras.models.families.transpose import TransPose
from distilpose_keras.models.layers import sine_position_code
from distilpose_keras.models.model import build_model
from tests.models.aligned import check_published

OF_PARITY = [
    pytest.param(name, marks=pytest.mark.parity)
    for name in ("transpose_r_a4", "transpose_h_s", "transpose_h_a4", "transpose_h_a6")
]


@pytest.mark.slow
@pytest.mark.backend
@pytest.mark.parametrize("name", ["transpose_r_a3", *OF_PARITY])
def test_published_weights_give_the_published_keypoints(name):
    check_published(name)


@pytest.fixture
def small():
    return build_model(
        TransPose(
            "small",
            input_size=(32, 24),
            backbone=ResNet(50, width=2, stages=2),
            encoder=Encoder(dim=8, hidden=8, layers=1, heads=2),
        )
    )


def test_a_stored_position_code_must_be_ours(small):
    state = state_dict(small)
    code = sine_position_code(4, 3, 8)[:, None]  # (T, 1, D), as published
    load_checkpoint(small, {**state, "pos_embedding": code})
    for spoiled in (code * 0, code[:, 0]):
        with pytest.raises(ValueError, match="pos_embedding is not the 2D sine code"):
            load_checkpoint(small, {**state, "pos_embedding": spoiled})


@pytest.mark.backend
def test_an_encoder_layer_by_hand():
    """One head, the position code in queries and keys alone, norms behind the sums."""
    tokens = np.random.default_rng(0).normal(size=(1, 6, 8)).astype("float32")
    inputs = keras.Input(tokens.shape[1:])
    model = keras.Model(inputs, Encoder(8, 16, 1, 1)(inputs, (2, 3), name="e"))
    rng = np.random.default_rng(1)
    model.set_weights([rng.normal(0, 0.5, w.shape) for w in model.get_weights()])

    def linear(x, name):
        kernel, bias = map(np.array, model.get_layer(f"e-layers-0-{name}").weights)
        return x @ kernel + bias

    def norm(x, name):
        gamma, beta = map(np.array, model.get_layer(f"e-layers-0-{name}").weights)
        centered = x - x.mean(-1, keepdims=True)
        return centered / np.sqrt(x.var(-1, keepdims=True) + 1e-5) * gamma + beta

    x = tokens[0]
    queries, keys = np.split(
        linear(x + sine_position_code(2, 3, 8), "self_attn-in_proj_qk"), 2, axis=-1
    )
    logits = np.exp(queries @ keys.T / np.sqrt(8))
    maps = logits / logits.sum(axis=-1, keepdims=True)
    values = linear(x, "self_attn-in_proj_v")
    x = norm(x + linear(maps @ values, "self_attn-out_proj"), "norm1")
    hidden = np.maximum(linear(x, "linear1"), 0)
    x = norm(x + linear(hidden, "linear2"), "norm2")
    found = keras.ops.convert_to_numpy(model(tokens, training=False))
    np.testing.assert_allclose(found[0], x, atol=1e-4)


@pytest.mark.backend
def test_training_drops_out_and_inference_does_not():
    tokens = np.ones((1, 6, 8), "float32")
    inputs = keras.Input(tokens.shape[1:])
    model = keras.Model(inputs, Encoder(8, 16, 1, 2)(inputs, (2, 3), name="e"))

    def run(training):
        return keras.ops.convert_to_numpy(model(tokens, training=training))

    np.testing.assert_array_equal(run(False), run(False))
    assert np.abs(run(True) - run(True)).max() > 1e-3


def test_its_crops_are_aligned_and_its_map_a_quarter_of_them():
    config = TransPose("any")
    assert config.geometry is ALIGNED
    assert config.codec.heatmap_size == (64, 48)
    with pytest.raises(ValueError, match="4 or 8. Received: ResNet of stride 16"):
        TransPose("any", backbone=ResNet(50, stages=3))
