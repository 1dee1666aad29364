"""Losses against the published implementation, finite cases by hand."""

import keras
import numpy as np
import pytest

from distilpose_keras.losses import distilpose as losses

PAPER_WEIGHTS = {
    "reg": 1.0,
    "kpt_token": 5e-4,
    "vis_token": 5e-4,
    "simulated_heatmap": 1.0,
    "score": 1e-2,
}
STUDENT_OUTPUTS = ("pred", "score", "sigma", "kpt_token")


def value_and_gradients(function, arrays):
    """Differentiate a scalar function of a dict of arrays on the current backend."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        tensors = {k: tf.convert_to_tensor(v) for k, v in arrays.items()}
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            value = function(tensors)
        gradients = tape.gradient(value, tensors)
    elif backend == "jax":
        import jax

        value, gradients = jax.value_and_grad(function)(arrays)
    else:
        import torch

        tensors = {k: torch.tensor(v, requires_grad=True) for k, v in arrays.items()}
        value = function(tensors)
        if value.requires_grad:
            value.backward()
        gradients = {k: tensor.grad for k, tensor in tensors.items()}
    as_numpy = keras.ops.convert_to_numpy
    return as_numpy(value), {
        k: None if g is None else as_numpy(g) for k, g in gradients.items()
    }


def load(parity, name):
    """References, with the inputs as float32 and one weight per keypoint."""
    reference = parity(name)
    inputs = {
        key[3:]: value.astype("float32")
        for key, value in reference.items()
        if key.startswith("in_")
    }
    inputs["target_weight"] = inputs["target_weight"][..., :1]
    return reference, inputs


def weighted_terms(inputs):
    heatmaps, weights = inputs["teacher_heatmap"], inputs["target_weight"]
    targets = losses.score_targets(inputs["pred"], heatmaps)
    terms = {
        "reg": losses.regression_loss(inputs["pred"], inputs["target"], weights),
        "kpt_token": losses.token_loss(
            inputs["kpt_token"], inputs["teacher_kpt_token"]
        ),
        "vis_token": losses.token_loss(
            inputs["vis_token"], inputs["teacher_vis_token"]
        ),
        "simulated_heatmap": losses.simulated_heatmap_loss(
            inputs["pred"], inputs["sigma"], heatmaps, weights
        ),
        "score": losses.score_loss(inputs["score"], targets, weights),
    }
    return {name: PAPER_WEIGHTS[name] * value for name, value in terms.items()}


@pytest.mark.backend
@pytest.mark.parametrize("name", ["losses_all_visible", "losses_some_hidden"])
def test_terms_equal_the_published_ones(parity, name):
    reference, inputs = load(parity, name)
    for term, value in weighted_terms(inputs).items():
        np.testing.assert_allclose(
            keras.ops.convert_to_numpy(value), reference[f"loss_{term}"], rtol=1e-5
        )


@pytest.mark.backend
@pytest.mark.parametrize("name", ["losses_all_visible", "losses_some_hidden"])
def test_gradients_of_the_total_equal_the_published_ones(parity, name):
    reference, inputs = load(parity, name)

    def total(outputs):
        return sum(weighted_terms({**inputs, **outputs}).values())

    outputs = {key: inputs[key] for key in STUDENT_OUTPUTS}
    value, gradients = value_and_gradients(total, outputs)
    np.testing.assert_allclose(value, reference["loss_total"], rtol=1e-5)
    for key, gradient in gradients.items():
        expected = reference[f"grad_{key}"]
        np.testing.assert_allclose(
            gradient, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max()
        )


@pytest.mark.backend
def test_visual_token_gradient_is_the_scaled_difference(parity):
    _, inputs = load(parity, "losses_some_hidden")
    student, teacher = inputs["vis_token"], inputs["teacher_vis_token"]
    _, gradients = value_and_gradients(
        lambda t: losses.token_loss(t["student"], teacher), {"student": student}
    )
    expected = 2 * (student - teacher) / student.size
    np.testing.assert_allclose(gradients["student"], expected, rtol=1e-5, atol=1e-9)


@pytest.mark.backend
def test_nothing_is_differentiated_with_respect_to_the_teacher(parity):
    _, inputs = load(parity, "losses_all_visible")

    def total(teacher):
        return sum(weighted_terms({**inputs, **teacher}).values())

    names = ("teacher_heatmap", "teacher_kpt_token", "teacher_vis_token")
    _, gradients = value_and_gradients(total, {name: inputs[name] for name in names})
    for gradient in gradients.values():
        assert gradient is None or not np.any(gradient)


@pytest.mark.backend
def test_simulated_heatmaps_equal_the_published_ones(parity):
    reference, inputs = load(parity, "losses_some_hidden")
    maps = losses.simulated_heatmaps(inputs["pred"], inputs["sigma"], (64, 48))
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(maps), reference["sim"], atol=1e-6
    )


def test_one_sigma_per_keypoint_draws_a_round_gaussian():
    keypoints = np.full((1, 1, 2), 0.5, "float32")
    maps = losses.simulated_heatmaps(keypoints, np.full((1, 1, 1), 2.0), (64, 48))
    maps = keras.ops.convert_to_numpy(maps)
    assert maps[0, 0, 32, 24] == 1
    assert maps[0, 0, 32, 26] == maps[0, 0, 34, 24] == pytest.approx(np.exp(-0.5))


@pytest.mark.parametrize(
    "x, drawn",
    [(0.5, True), (1.12, True), (1.13, False), (-0.14, True), (-0.15, False)],
)
def test_a_gaussian_whose_box_is_off_the_map_is_not_drawn(x, drawn):
    # sigma 2: the box reaches 6 pixels, 6 / 48 = 0.125, and one more to the right.
    keypoints = np.array([[[x, 0.5]]], "float32")
    maps = losses.simulated_heatmaps(keypoints, np.full((1, 1, 2), 2.0), (64, 48))
    assert bool(keras.ops.any(maps > 0)) == drawn


def test_smooth_l1_is_quadratic_up_to_one_and_linear_beyond():
    keypoints = np.array([[[0.5, -3.0]]], "float32")
    weights = np.ones((1, 1, 1), "float32")
    value = losses.regression_loss(keypoints, np.zeros_like(keypoints), weights)
    assert float(value) == pytest.approx((0.5 * 0.25 + 2.5) / 2)


def test_score_targets_are_read_at_the_nearest_pixel_and_zero_outside():
    heatmaps = np.arange(12, dtype="float32").reshape(1, 1, 3, 4).repeat(5, 1)
    keypoints = np.array(
        [[[0.5, 0.5], [1.0, 1.0], [1.3, 0.5], [0.5, -0.5], [np.nan, 0.5]]], "float32"
    )
    values = losses.score_targets(keypoints, heatmaps)
    # 0.5 of 3 intervals is 1.5, rounded half to even: column 2; row 1 of 0..2.
    np.testing.assert_array_equal(np.ravel(values), [6, 11, 0, 0, 0])


def test_hidden_keypoints_of_one_sample_do_not_touch_another(parity):
    _, inputs = load(parity, "losses_all_visible")
    inputs["target_weight"] = inputs["target_weight"].copy()
    inputs["target_weight"][0] = 0
    both = weighted_terms(inputs)
    second = weighted_terms({key: value[1:] for key, value in inputs.items()})
    for term in ("reg", "simulated_heatmap", "score"):
        assert float(both[term]) == pytest.approx(float(second[term]) / 2, rel=1e-5)


def test_sample_weight_scales_the_loss_of_each_sample(parity):
    _, inputs = load(parity, "losses_all_visible")
    weights = inputs["target_weight"]
    arguments = inputs["pred"], inputs["target"]
    one, other = (
        float(losses.regression_loss(*[a[i : i + 1] for a in (*arguments, weights)]))
        for i in range(2)
    )
    weighted = losses.regression_loss(
        *arguments, weights, sample_weight=np.array([3.0, 0.5])
    )
    assert float(weighted) == pytest.approx((3 * one + 0.5 * other) / 2, rel=1e-5)


def test_losses_are_float32_for_half_precision_inputs(parity):
    _, inputs = load(parity, "losses_all_visible")
    half = {key: value.astype("float16") for key, value in inputs.items()}
    for value in weighted_terms(half).values():
        assert keras.backend.standardize_dtype(value.dtype) == "float32"
