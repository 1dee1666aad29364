"""ViTPose against the published models and their definition."""

import keras
import numpy as np
import pytest

from distilpose_keras.models.checkpoints import load_checkpoint, state_dict
from distilpose_keras.models.model import PoseModel
from distilpose_keras.models.presets import FIGURES, MODELS
from distilpose_keras.profiling.model import profile_model
from tests.models.heads import model_of, predict, weights_of
from tests.models.heatmap_parity import assert_parity, published
from tests.models.shrunken import shrunken
from tests.models.small import recipe_state

LAST = (47, 63)  # of the heatmaps' pixels, which the crop's edges lie on
TOLERANCE = 5e-4  # 1e-3 hardly sees the epsilon of the layer-norms


OF_PARITY = [
    pytest.param(name, marks=pytest.mark.parity)
    for name in ("vitpose_s", "vitpose_b", "vitpose_b_simple")
]
# Two layers of the larger ones take a gigabyte.
SIZES = [
    name if "_s" in name[:9] else pytest.param(name, marks=pytest.mark.slow)
    for name in MODELS
    if name.startswith("vitpose_")
]


@pytest.mark.slow
@pytest.mark.backend
@pytest.mark.parametrize("name", ["vitpose_s_simple", *OF_PARITY])
def test_published_weights_give_the_published_keypoints(name):
    assert_parity(*published(name), tolerance=TOLERANCE, size=LAST)


def small(name="vitpose_s"):
    return PoseModel(shrunken(MODELS[name]))


@pytest.mark.parametrize("name", SIZES)
def test_sizes_follow_from_two_shallow_ones(name):
    """The largest would take gigabytes; every layer has as many parameters."""
    depth = MODELS[name].backbone.depth
    one, two = (
        profile_model(PoseModel(MODELS[name].with_overrides(backbone={"depth": n})))
        for n in (1, 2)
    )
    for count, expected in (
        ("trainable_params", FIGURES[name].trainable_params),
        ("gmacs", FIGURES[name].gmacs),
    ):
        first, second = getattr(one, count), getattr(two, count)
        total = first + (depth - 1) * (second - first)
        assert total == pytest.approx(expected, rel=5e-4 * (count == "gmacs"))


def test_tokens_keep_the_position_that_was_the_class_tokens():
    model = small()
    code = model.get_layer("backbone").weights[0]
    assert tuple(code.shape) == (1, 1 + 4 * 6, 16)
    tokens = np.zeros((1, 24, 16), "float32")
    found = keras.ops.convert_to_numpy(model.get_layer("backbone")(tokens))
    code = keras.ops.convert_to_numpy(code)
    np.testing.assert_allclose(found, code[:, 1:] + code[:, :1], atol=1e-6)


def test_the_simple_head_clips_enlarges_and_convolves():
    array = np.array([[-1, 2], [4, 6]], "float32").reshape(1, 2, 2, 1)
    model = model_of(shrunken(MODELS["vitpose_s_simple"]).head, array)
    found = predict(model, array)
    kernel, bias = weights_of(model, "keypoint_head-final_layer")
    # Bilinear with half-pixel centres: shares of the second of two pixels.
    share = np.clip((np.arange(8) + 0.5) / 4 - 0.5, 0, 1)
    columns = np.stack([1 - share, share], axis=1)
    large = np.pad(columns @ np.maximum(array[0, ..., 0], 0) @ columns.T, 1)
    windows = np.lib.stride_tricks.sliding_window_view(large, (3, 3))
    expected = (
        np.einsum("yxij,ijk->kyx", windows, kernel[:, :, 0]) + bias[:, None, None]
    )
    np.testing.assert_allclose(found[0], expected, atol=1e-5)


def mmpretrain_names(state):
    """A checkpoint as mmpretrain and mmpose 1.x name it."""
    renamed = {}
    for key, value in state.items():
        for ours, theirs in (
            ("patch_embed.proj.", "patch_embed.projection."),
            ("backbone.blocks.", "backbone.layers."),
            (".norm1.", ".ln1."),
            (".norm2.", ".ln2."),
            (".mlp.fc1.", ".ffn.layers.0.0."),
            (".mlp.fc2.", ".ffn.layers.1."),
            ("backbone.last_norm.", "backbone.ln1."),
            ("keypoint_head.", "head."),
        ):
            key = key.replace(ours, theirs)
        renamed[key] = value
    return renamed


@pytest.mark.parametrize("rows", [24, 25])
def test_names_of_mmpretrain_are_read_too(rows):
    model = small()
    state = recipe_state(model)
    names = mmpretrain_names(state)
    names["data_preprocessor.mean"] = np.zeros(3)  # of published files: dropped
    names["backbone.pos_embed"] = names["backbone.pos_embed"][:, -rows:]
    load_checkpoint(model, names)
    found = state_dict(model)
    assert set(found) == set(state)
    for key, value in state.items():
        if key != "backbone.pos_embed":
            np.testing.assert_array_equal(found[key], value)
    code = found["backbone.pos_embed"]
    assert not code[:, 0].any()  # there, no class token's position is added
    np.testing.assert_array_equal(code[:, 1:], state["backbone.pos_embed"][:, 1:])


def test_a_file_of_the_other_head_is_refused():
    with pytest.raises(ValueError, match=r"unread: keypoint_head\.deconv_layers"):
        load_checkpoint(small("vitpose_s_simple"), recipe_state(small()))


def test_branches_are_left_out_in_training_alone_and_ever_more_often():
    model = PoseModel(MODELS["vitpose_s"].with_overrides(backbone={"dim": 24}))
    rates = [
        layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)
    ]
    expected = np.repeat(np.linspace(0, 0.1, 12)[1:], 2)
    np.testing.assert_allclose(rates, expected)
    branch = next(
        layer for layer in model.layers if isinstance(layer, keras.layers.Dropout)
    )
    tokens = np.ones((64, 3, 2), "float32")
    np.testing.assert_array_equal(branch(tokens, training=False), tokens)
    dropped = keras.layers.Dropout.from_config(branch.get_config() | {"rate": 0.5})
    kept = keras.ops.convert_to_numpy(dropped(tokens, training=True))
    of_sample = kept.reshape(64, -1)
    assert (of_sample == of_sample[:, :1]).all()  # a sample's tokens share a fate
    assert {0.0, 2.0} == set(of_sample[:, 0])


def test_heads_must_divide_the_channels():
    with pytest.raises(ValueError, match="dim must be a multiple of 12 heads"):
        MODELS["vitpose_s"].with_overrides(backbone={"dim": 100})
