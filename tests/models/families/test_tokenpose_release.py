"""TokenPose's releases: published weights give the published heatmaps and keypoints."""

import numpy as np
import pytest

from distilpose_keras.models.backbones import Pixels
from distilpose_keras.models.checkpoints import load_checkpoint, state_dict
from distilpose_keras.models.families.tokenpose_release import TokenPoseRelease
from distilpose_keras.models.model import build_model
from distilpose_keras.models.presets import MODELS
from distilpose_keras.models.transformer import TokenTransformer
from tests.models.aligned import check_published
from tests.models.shrunken import shrunken

TOKENS = [("keypoint_tokens", "kpt_token")]
OF_PARITY = [
    pytest.param(f"tokenpose_{name}", marks=pytest.mark.parity)
    for name in ("s_v1", "s_v2", "b", "l_d6", "l_d24", "l_d24_384x288")
]


@pytest.mark.slow
@pytest.mark.backend
@pytest.mark.parametrize("name", ["tokenpose_t", *OF_PARITY])
def test_published_weights_give_the_published_keypoints(name):
    check_published(name, extra=TOKENS)


def published_keys(model, prefix, layers):
    """Weights of a model under the names of a release; no two alike."""
    state = {}
    for key, value in state_dict(model).items():
        key = key.replace("keypoint_head.tokenpose.", prefix)
        for ours, theirs in layers.items():
            key = key.replace(f"transformer.layers.{ours}.", f"{theirs}.")
        state[key.replace("backbone.", "pre_feature.")] = value
    return state


def test_layers_of_three_transformers_are_numbered_through():
    model = build_model(shrunken(MODELS["tokenpose_l_d6"]))
    names = {
        2 * b + i: f"transformer{b + 1}.layers.{i}" for b in range(3) for i in (0, 1)
    }
    state = published_keys(model, "transformer.", names)
    assert "transformer.transformer3.layers.1.1.fn.fn.net.3.bias" in state
    load_checkpoint(build_model(model.pose_config), state)  # strict
    state["transformer.transformer3.layers.2.0.fn.norm.bias"] = np.zeros(16)
    with pytest.raises(ValueError, match=r"1 unread: .*layers\.6\.0\.fn\.norm\.bias"):
        load_checkpoint(model, state)


def test_the_smaller_scale_of_s_is_folded_into_its_queries():
    model = build_model(shrunken(MODELS["tokenpose_s_v1"]))
    ours = state_dict(model)
    state = {
        key.replace("keypoint_head.tokenpose.", "features.").replace(
            "backbone.", "features."
        ): value
        for key, value in ours.items()
    }
    load_checkpoint(model, state)
    key = "keypoint_head.tokenpose.transformer.layers.1.0.fn.fn.to_qkv.weight"
    expected = ours[key].copy()
    expected[:16] *= np.sqrt(8 / 16)  # 16 channels in two heads of 8
    np.testing.assert_allclose(state_dict(model)[key], expected, rtol=1e-6)


def test_a_token_head_reads_features_of_a_quarter_or_the_pixels():
    with pytest.raises(ValueError, match="layers must be a multiple of"):
        TokenTransformer(layers=4, blocks=3)
    pixels = TokenPoseRelease(
        "t", backbone=Pixels(), transformer=TokenTransformer((16, 12), heads=16)
    )
    assert pixels.codec.heatmap_size == (64, 48)
    with pytest.raises(ValueError, match=r"multiple of \[16, 12\]"):
        pixels.with_overrides(input_size=(256, 200))
