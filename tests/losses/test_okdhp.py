"""The losses of OKDHP against the published implementation."""

import keras
import numpy as np
import pytest

from distilpose_keras.losses import okdhp

CASES = ["all_visible", "some_hidden"]


@pytest.fixture(scope="module")
def reference(parity):
    return parity("families/okdhp/losses")


def load(reference):
    """Outputs (B, 3 branches, 2 stacks, K, H, W) and logits of their ensemble."""
    outputs = np.moveaxis(reference["in_outputs"], 2, 0)
    return {"outputs": outputs, "logits": reference["in_fau_logits"]}


def terms_of(tensors, reference, case):
    outputs = tensors["outputs"]
    ensemble = okdhp.ensemble_heatmaps(outputs[:, :, -1], tensors["logits"])
    return okdhp.okdhp_terms(
        keras.ops.reshape(outputs, (2, 6, 17, 16, 12)),
        ensemble,
        reference["in_target"],
        reference[f"{case}_weight"],
        reference[f"{case}_epoch"],
    )


@pytest.mark.backend
@pytest.mark.parametrize("case", CASES)
def test_terms_equal_the_published_ones(reference, case):
    terms = terms_of(load(reference), reference, case)
    for term, name in (
        ("heatmap", "hard"),
        ("ensemble", "ensemble_weighted"),
        ("distillation", "soft_weighted"),
    ):
        expected = float(reference[f"{case}_loss_{name}"])
        assert float(terms[term]) == pytest.approx(expected, rel=1e-5)


@pytest.mark.backend
@pytest.mark.parametrize("case", CASES)
def test_gradients_equal_the_published_ones(reference, value_and_gradients, case):
    value, gradients = value_and_gradients(
        lambda tensors: sum(terms_of(tensors, reference, case).values()),
        load(reference),
    )
    assert value == pytest.approx(float(reference[f"{case}_loss_total"]), rel=1e-5)
    pairs = [(gradients["logits"], reference[f"{case}_grad_fau_logits"])]
    if case == "some_hidden":
        expected = np.moveaxis(reference["some_hidden_grad_outputs"], 2, 0)
        pairs.append((gradients["outputs"][..., ::2, ::2], expected))
    for gradient, expected in pairs:
        np.testing.assert_allclose(
            gradient, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max()
        )


@pytest.mark.backend
def test_ensemble_equals_the_published_one(reference):
    inputs = load(reference)
    ensemble = okdhp.ensemble_heatmaps(inputs["outputs"][:, :, -1], inputs["logits"])
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(ensemble)[..., ::2, ::2],
        reference["all_visible_ensemble"],
        rtol=1e-5,
        atol=1e-6,
    )


@pytest.mark.parametrize("epoch", [0, 1, 20, 30, 59, 60, 100])
def test_distillation_ramps_up_as_published(reference, epoch):
    expected = float(reference[f"rampup_epoch_{epoch}"])
    assert float(okdhp.ramp_up(epoch)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.backend
def test_epoch_may_be_a_variable_of_the_graph(reference):
    epoch = keras.Variable(30, dtype="int32", trainable=False)
    expected = float(reference["rampup_epoch_30"])
    assert float(okdhp.ramp_up(epoch)) == pytest.approx(expected, rel=1e-5)


def test_sample_weight_scales_the_loss_of_each_sample(reference):
    tensors = load(reference)
    arrays = (
        tensors["outputs"].reshape(2, 6, 17, 16, 12),
        tensors["outputs"][:, 0, -1],
        reference["in_target"],
        reference["some_hidden_weight"],
    )
    weighted = okdhp.okdhp_terms(*arrays, 60, sample_weight=np.array([2.0, 0.5]))
    each = [okdhp.okdhp_terms(*(a[i : i + 1] for a in arrays), 60) for i in range(2)]
    for term, value in weighted.items():
        expected = (2 * float(each[0][term]) + 0.5 * float(each[1][term])) / 2
        assert float(value) == pytest.approx(expected, rel=1e-5)
