"""Deployed graphs: the same outputs from fewer operations."""

import keras
import numpy as np
import pytest

from distilpose_keras.models.backbones import HRNet, StemNet
from distilpose_keras.models.checkpoints import load_checkpoint
from distilpose_keras.models.deploy import deploy
from distilpose_keras.models.deployed_tokens import CenteredNorm
from distilpose_keras.models.layers import layer_norm
from distilpose_keras.models.model import PoseModel, build_model
from distilpose_keras.models.presets import MODELS
from distilpose_keras.pixels import normalize_images
from distilpose_keras.predictor import PosePredictor
from tests.models import reference
from tests.models.shrunken import shrunken
from tests.models.small import pictures, small, with_recipe_weights

STUDENTS = {
    "one_layer": {"layers": 1},
    "three_layers": {"layers": 3},
    "one_sigma": {"layers": 2, "num_sigmas": 1},
}

TOKENS = {"layers": 1, "dim": 16, "heads": 2}
HEATMAPS = {
    "hrnet_w32": {
        "input_size": (64, 32),
        "backbone": HRNet(4, 4, StemNet(8, 1, 4), modules=(1, 1, 1), blocks=1),
    },
    "tokenpose_stemnet": {
        "input_size": (32, 24),
        "backbone": {"width": 8, "blocks": 1, "block_width": 4},
        "transformer": TOKENS,
        "hidden": 8,
    },
    "simple_baseline_resnet50": {
        "input_size": (32, 24),
        "backbone": StemNet(8, 1, 4),
        "deconvolutions": 1,
        "filters": 8,
    },
}


def assert_deployed_equals(model, batch_size=None):
    """Compare both graphs on pictures in 0..255."""
    images = pictures(2, *model.pose_config.input_size)
    expected = model(normalize_images(images), training=False)
    deployed = deploy(model, batch_size=batch_size)
    actual = deployed(images, training=False)
    assert set(actual) == {"keypoints", "scores"}
    for key in actual:
        before, after = (
            keras.ops.convert_to_numpy(outputs[key]) for outputs in (expected, actual)
        )
        # Float32 keeps these sharp attentions to 1e-5 of the range: in float64 both
        # graphs agree to 1e-6.
        tolerance = 1e-5 * max(1.0, np.ptp(before))
        np.testing.assert_allclose(after, before, atol=tolerance, err_msg=key)
    return deployed


@pytest.mark.backend
@pytest.mark.parametrize("settings", STUDENTS.values(), ids=STUDENTS)
def test_deployed_students_predict_the_same(settings):
    model = with_recipe_weights(small(**settings))
    assert_deployed_equals(model)


def test_norms_for_integers_change_nothing_but_their_epsilon():
    model = with_recipe_weights(small(layers=2))
    once, often = (deploy(model, for_integers=value) for value in (False, True))
    counts = [
        sum(isinstance(layer, CenteredNorm) for layer in graph.layers)
        for graph in (once, often)
    ]
    assert counts == [5, 15]
    # Keypoint tokens of this model have variances near the epsilon.
    for key, expected in once(pictures(2)).items():
        difference = np.array(often(pictures(2))[key] - expected)
        assert 0 < np.abs(difference).max() < 0.05 * np.ptp(expected)


@pytest.mark.backend
def test_normalising_twice_is_normalising_once():
    rng = np.random.default_rng(0)
    deviations = np.float32([0.1, 0.2, 0.5, 1, 2, 5, 10])
    tokens = rng.normal(size=(2, 7, 16)).astype("float32") * deviations[:, None]
    once = CenteredNorm()(tokens)
    twice = keras.ops.convert_to_numpy(CenteredNorm()(once))
    # Relative to the smallest variance the epsilon is 1e-3.
    np.testing.assert_allclose(twice, keras.ops.convert_to_numpy(once), rtol=2e-3)


def test_a_fixed_batch_is_part_of_the_graph():
    model = with_recipe_weights(small(layers=1))
    deployed = assert_deployed_equals(model, batch_size=2)
    assert deployed.input.name == "image"
    assert deployed.input.shape == (2, 32, 24, 3)
    assert deployed.output["keypoints"].shape == (2, 17, 2)


@pytest.mark.slow
def test_the_published_student_is_deployed_without_loss():
    model = build_model("distilpose_s")
    load_checkpoint(model, reference.state_dict("distilpose_s"))
    deployed = assert_deployed_equals(model)
    assert not any(
        isinstance(layer, keras.layers.BatchNormalization) for layer in deployed.layers
    )


@pytest.mark.parametrize(
    "name", ["deeppose_resnet50", "deeppose_resnet50_distilled", "distilpose_l"]
)
def test_other_backbones_and_heads_are_deployed_too(name):
    assert_deployed_equals(with_recipe_weights(PoseModel(shrunken(MODELS[name]))))


@pytest.mark.backend
def test_centered_norm_is_layer_norm_of_centered_tokens():
    tokens = np.random.default_rng(0).normal(size=(2, 3, 8)).astype("float32")
    tokens -= tokens.mean(axis=-1, keepdims=True)
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(CenteredNorm()(tokens)),
        keras.ops.convert_to_numpy(layer_norm(tokens, "norm")),
        atol=1e-6,
    )


@pytest.mark.parametrize("name", ["student", "simple_baseline_resnet50"])
@pytest.mark.parametrize("batch_size", [None, 1])
def test_a_deployed_graph_survives_saving_and_cloning(name, batch_size, tmp_path):
    """A student adds constants and norms of ours, heatmaps are decoded by a layer."""
    settings = HEATMAPS.get(name)
    model = small(layers=1) if settings is None else build_model(name, **settings)
    deployed = deploy(with_recipe_weights(model), batch_size)
    deployed.save(tmp_path / "deployed.keras")
    clone = keras.models.clone_model(deployed)
    clone.set_weights(deployed.get_weights())
    images = pictures(1)
    for graph in (clone, keras.saving.load_model(tmp_path / "deployed.keras")):
        assert graph.input.shape == (batch_size, 32, 24, 3)
        for key, expected in deployed(images).items():
            np.testing.assert_array_equal(
                keras.ops.convert_to_numpy(graph(images)[key]),
                keras.ops.convert_to_numpy(expected),
            )


def test_mixed_precision_does_not_reach_the_deployed_graph():
    model = with_recipe_weights(small(layers=1))
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        assert_deployed_equals(model)
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
    finally:
        keras.config.set_dtype_policy("float32")


@pytest.mark.backend
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("name", sorted(HEATMAPS))
def test_heatmaps_are_decoded_in_the_graph(name, dark):
    model = with_recipe_weights(build_model(name, dark=dark, **HEATMAPS[name]))
    images = pictures(2, *model.pose_config.input_size)
    deployed = deploy(model)
    found = {k: keras.ops.convert_to_numpy(v) for k, v in deployed(images).items()}
    keypoints, scores = PosePredictor(model).predict_crops(images.astype("uint8"))
    size = model.pose_config.input_size[::-1]
    assert np.abs(found["keypoints"] - keypoints).max() * max(size) < 0.5
    spread = np.ptp(scores)
    np.testing.assert_allclose(found["scores"][..., 0], scores, atol=1e-4 * spread)
    assert not any(
        isinstance(layer, keras.layers.BatchNormalization) for layer in deployed.layers
    )


def test_what_only_training_reads_is_cut_off():
    deployed = deploy(with_recipe_weights(small()))
    assert not any("sigma" in layer.name for layer in deployed.layers)
    last = deployed.get_layer(
        "keypoint_head-tokenhead-transformer-layers-1-0-fn-fn-softmax"
    )
    assert last.output.shape[2:] == (17, 17 + 4)  # keypoint tokens ask alone


def test_only_pose_models_are_deployed():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)], name="net")
    with pytest.raises(ValueError, match="only a PoseModel .*net"):
        deploy(model)
