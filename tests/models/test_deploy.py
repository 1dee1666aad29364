"""Deployed graphs: the same outputs from fewer operations."""

import keras
import numpy as np
import pytest
import recipe

from distilpose_keras.models.build import build_model, deploy, normalize_images
from distilpose_keras.models.checkpoints import load_checkpoint, torch_keys
from distilpose_keras.models.deploy import CenteredNorm
from distilpose_keras.models.layers import layer_norm
from tests.models import reference

STUDENTS = {
    "one_layer": {"token_layers": 1},
    "three_layers": {"token_layers": 3},
    "one_sigma": {"token_layers": 2, "num_sigmas": 1},
}


def with_recipe_weights(model):
    """Fill a model that has no published counterpart with weights of their kind."""
    for key, (_, variable) in torch_keys(model).items():
        shape = tuple(variable.shape)
        # OIHW to HWIO and (out, in) to (in, out): axes that fan in come last
        moved = (*shape[-1:], *shape[-2:-1], *shape[:-2]) if len(shape) > 1 else shape
        value = recipe.fill(key, moved if not key.endswith("_token") else shape)
        if moved != shape and not key.endswith("_token"):
            value = np.moveaxis(value, (0, 1), (-1, -2))
        variable.assign(value)
    return model


def assert_deployed_equals(model, batch_size=None):
    """Compare both graphs on pictures in 0..255."""
    height, width = model.pose_config.input_size
    pictures = [recipe.picture(height, width, seed=i) for i in range(2)]
    images = np.stack(pictures).astype("float32")
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
    model = with_recipe_weights(build_model("demo_student", **settings))
    assert_deployed_equals(model)


def test_a_fixed_batch_is_part_of_the_graph():
    model = with_recipe_weights(build_model("demo_student", token_layers=1))
    deployed = assert_deployed_equals(model, batch_size=2)
    assert deployed.input.name == "image"
    assert deployed.input.shape == (2, 64, 48, 3)
    assert deployed.output["keypoints"].shape == (2, 17, 2)


@pytest.mark.slow
def test_the_published_student_is_deployed_without_loss():
    model = build_model("distilpose_s")
    load_checkpoint(model, reference.state_dict("distilpose_s"))
    deployed = assert_deployed_equals(model)
    assert not any(
        isinstance(layer, keras.layers.BatchNormalization) for layer in deployed.layers
    )


@pytest.mark.slow
@pytest.mark.parametrize("confidence", [False, True])
def test_deployed_deeppose_predicts_the_same(confidence):
    model = build_model("deeppose_resnet50", input_size=(64, 64), confidence=confidence)
    assert_deployed_equals(with_recipe_weights(model))


def test_hrnet_students_are_deployed_too():
    model = build_model(
        "distilpose_l", input_size=(64, 48), hrnet_width=4, token_layers=1
    )
    assert_deployed_equals(with_recipe_weights(model))


@pytest.mark.backend
def test_centered_norm_is_layer_norm_of_centered_tokens():
    tokens = np.random.default_rng(0).normal(size=(2, 3, 8)).astype("float32")
    tokens -= tokens.mean(axis=-1, keepdims=True)
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(CenteredNorm()(tokens)),
        keras.ops.convert_to_numpy(layer_norm(tokens, "norm")),
        atol=1e-6,
    )


def test_a_deployed_graph_survives_cloning():
    deployed = deploy(with_recipe_weights(build_model("demo_student", token_layers=1)))
    clone = keras.models.clone_model(deployed)
    clone.set_weights(deployed.get_weights())
    images = recipe.picture(64, 48)[None].astype("float32")
    for key, expected in deployed(images).items():
        np.testing.assert_array_equal(
            keras.ops.convert_to_numpy(clone(images)[key]),
            keras.ops.convert_to_numpy(expected),
        )


def test_mixed_precision_does_not_reach_the_deployed_graph():
    model = with_recipe_weights(build_model("demo_student", token_layers=1))
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        assert_deployed_equals(model)
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
    finally:
        keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize("kind", ["teacher", "keras"])
def test_only_students_are_deployed(kind):
    if kind == "teacher":
        model = build_model("demo_teacher", token_layers=1)
    else:
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)], name="net")
    with pytest.raises(ValueError, match="only a student .*(demo_teacher|net)"):
        deploy(model)
