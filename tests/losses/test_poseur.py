"""The losses of Poseur against the published implementation."""

import keras
import numpy as np
import pytest
import recipe

from distilpose_keras.losses import poseur
from distilpose_keras.losses.flow import RealNVP

TOLERANCE = 1e-3  # of losses and gradients in float32, as the reference states


def published_flow(name):
    shapes = {0: (64, 2), 2: (64, 64), 4: (2, 64)}
    prefix = f"keypoint_head.{name}_flow."
    state = {}
    for index, shape in shapes.items():
        for module in (f"{prefix}{net}.{i}.{index}" for net in "st" for i in range(6)):
            for kind, of_kind in (("weight", shape), ("bias", shape[:1])):
                key = f"{module}.{kind}"
                state[key] = recipe.fill(key, of_kind)
    flow = RealNVP(prior_mean=poseur.PRIOR_MEAN)
    flow.load_published(state, prefix)
    return flow


@pytest.fixture(scope="module")
def flows():
    return {name: published_flow(name) for name in ("enc", "dec")}


@pytest.fixture(scope="module")
def reference(parity):
    return parity("families/poseur/losses")


def load(reference):
    """Predictions with the samples first, and what does not depend on them."""
    inputs = {
        key: reference[f"some_hidden/in_{key}"].astype("float32")
        for key in (
            "enc_coords",
            "enc_sigma_logit",
            "dec_coords",
            "dec_sigma_logit",
            "target",
            "weight",
        )
    }
    targets, weights = inputs.pop("target"), inputs.pop("weight")[..., :1]
    return {k: samples_first(v) for k, v in inputs.items()}, targets, weights


def samples_first(array):
    """(L, B, Q, 2) of the published code to (B, L, Q, 2)."""
    return np.swapaxes(array, 0, 1) if array.ndim == 4 else array


@pytest.mark.backend
@pytest.mark.parametrize("name", ["enc", "dec"])
def test_flows_have_a_prior_around_one_half(reference, flows, name):
    density = flows[name](reference[f"{name}_flow_x"].astype("float32"))
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(density),
        reference[f"{name}_flow_log_prob"],
        rtol=1e-4,
        atol=1e-4,
    )


@pytest.mark.backend
def test_total_and_gradients_equal_the_published_ones(
    reference, flows, value_and_gradients
):
    predictions, targets, weights = load(reference)

    def total(tensors):
        sigmas = {k: keras.ops.sigmoid(tensors[f"{k}_sigma_logit"]) for k in flows}
        coarse = poseur.coarse_loss(
            tensors["enc_coords"], sigmas["enc"], targets, weights, flows["enc"]
        )
        return coarse + poseur.decoder_loss(
            tensors["dec_coords"], sigmas["dec"], targets, weights, flows["dec"]
        )

    value, gradients = value_and_gradients(total, predictions)
    np.testing.assert_allclose(
        value, reference["some_hidden/loss_total"], rtol=TOLERANCE
    )
    for key, gradient in gradients.items():
        expected = samples_first(reference[f"some_hidden/grad_{key}"])
        np.testing.assert_allclose(
            gradient, expected, rtol=TOLERANCE, atol=TOLERANCE * np.abs(expected).max()
        )


@pytest.mark.backend
def test_each_layer_has_the_published_loss(reference, flows):
    predictions, targets, weights = load(reference)
    sigmas = {k: keras.ops.sigmoid(predictions[f"{k}_sigma_logit"]) for k in flows}
    coarse = poseur.coarse_loss(
        predictions["enc_coords"], sigmas["enc"], targets, weights, flows["enc"]
    )
    expected = reference["some_hidden/loss_enc_rle_loss"]
    assert float(coarse) == pytest.approx(float(expected), rel=TOLERANCE)
    for layer in range(6):
        one = slice(layer, layer + 1)
        value = poseur.decoder_loss(
            predictions["dec_coords"][:, one],
            sigmas["dec"][:, one],
            targets,
            weights,
            flows["dec"],
        )
        expected = reference[f"some_hidden/loss_dec_rle_loss_{layer}"]
        assert float(value) == pytest.approx(float(expected), rel=TOLERANCE)


@pytest.mark.backend
def test_noisy_references_equal_the_published_ones(parity):
    reference = parity("families/poseur/train_forward")
    noise = reference["in_offset_noise"].reshape(2, 12, 2)
    points = poseur.noisy_references(
        reference["enc_coords"], noise, reference["in_rand_index"]
    )
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(points), reference["start_references"], atol=1e-6
    )


@pytest.mark.backend
def test_noisy_references_teach_the_coarse_keypoints_nothing(
    parity, value_and_gradients
):
    reference = parity("families/poseur/train_forward")
    noise = reference["in_offset_noise"].reshape(2, 12, 2)

    def total(tensors):
        points = poseur.noisy_references(
            tensors["coords"], noise, reference["in_rand_index"]
        )
        return keras.ops.sum(keras.ops.square(points)) + 0 * keras.ops.sum(
            tensors["coords"]
        )

    _, gradients = value_and_gradients(total, {"coords": reference["enc_coords"]})
    assert not np.any(gradients["coords"])


def test_untouched_copies_are_not_clipped():
    far = np.full((1, 2, 2), 3.0, "float32")
    points = poseur.noisy_references(far, np.zeros((1, 1, 2), "float32"), [5])
    expected = np.full((1, 8, 2), 3.0)
    expected[0, 2 + 5] = 1.7
    np.testing.assert_allclose(keras.ops.convert_to_numpy(points), expected)
