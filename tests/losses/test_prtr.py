"""The set loss of PRTR against the published implementation."""

import keras
import numpy as np
import pytest

from distilpose_keras.losses import prtr

CASES = ["all_visible", "some_hidden"]
LOSS_WEIGHT = 5.0  # published configuration


@pytest.fixture(scope="module")
def reference(parity):
    return parity("families/prtr/losses")


def load(reference, case):
    """Predictions with the samples first, targets and weights as float32."""
    predictions = {
        key: np.swapaxes(reference[f"in_{key}"], 0, 1) for key in ("logits", "coords")
    }
    targets, weights = (
        reference[f"{case}_{key}"].astype("float32") for key in ("target", "weight")
    )
    return predictions, targets, weights


@pytest.mark.backend
@pytest.mark.parametrize("case", CASES)
def test_joints_are_matched_as_published(reference, case):
    predictions, targets, _ = load(reference, case)
    matches = prtr.match(predictions["logits"], predictions["coords"], targets[:, None])
    np.testing.assert_array_equal(
        np.swapaxes(keras.ops.convert_to_numpy(matches), 0, 1),
        reference[f"{case}_query_of_joint"],
    )


@pytest.mark.backend
@pytest.mark.parametrize("case", CASES)
def test_terms_equal_the_published_ones(reference, case):
    predictions, targets, weights = load(reference, case)
    terms = prtr.prtr_terms(*predictions.values(), targets, weights)
    expected = reference[f"{case}_loss_ce"].sum()
    assert float(terms["class"]) == pytest.approx(expected, rel=1e-5)
    expected = LOSS_WEIGHT * reference[f"{case}_loss_kpts"].sum()
    assert float(terms["keypoint"]) == pytest.approx(expected, rel=1e-5)


@pytest.mark.backend
def test_gradients_equal_the_published_ones(reference, value_and_gradients):
    predictions, targets, weights = load(reference, "some_hidden")

    def total(tensors):
        terms = prtr.prtr_terms(tensors["logits"], tensors["coords"], targets, weights)
        return sum(terms.values())

    _, gradients = value_and_gradients(total, predictions)
    for key, gradient in gradients.items():
        expected = np.swapaxes(reference[f"some_hidden_grad_{key}"], 0, 1)
        np.testing.assert_allclose(
            gradient, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max()
        )


def test_unlabelled_joints_are_matched_as_the_origin(reference):
    predictions, targets, weights = load(reference, "some_hidden")
    elsewhere = targets + 0.7 * (1 - weights)
    expected = prtr.prtr_terms(*predictions.values(), targets, weights)
    terms = prtr.prtr_terms(*predictions.values(), elsewhere, weights)
    assert float(terms["class"]) == float(expected["class"])
    assert float(terms["keypoint"]) == float(expected["keypoint"])


def test_distance_outweighs_the_class_five_to_one():
    # Query 0 is certain of the joint but 0.21 away, query 1 is right there and certain
    # of nothing: 5 * 0.21 - 1 is more than 0 - 0.
    logits = np.array([[99.0, 0.0], [0.0, 99.0]], "float32")
    targets = np.array([[0.5, 0.5]], "float32")
    keypoints = np.array([[0.5, 0.71], [0.5, 0.5]], "float32")
    assert int(prtr.match(logits, keypoints, targets)[0]) == 1
    # At 0.19 the certainty wins: 0.95 - 1.
    keypoints[0, 1] = 0.69
    assert int(prtr.match(logits, keypoints, targets)[0]) == 0


def test_sample_weight_scales_the_loss_of_each_sample(reference):
    predictions, *rest = load(reference, "some_hidden")
    arrays = *predictions.values(), *rest
    weighted = prtr.prtr_terms(*arrays, sample_weight=np.array([2.0, 0.5], "float32"))
    each = [prtr.prtr_terms(*(a[i : i + 1] for a in arrays)) for i in range(2)]
    for term, value in weighted.items():
        expected = (2 * float(each[0][term]) + 0.5 * float(each[1][term])) / 2
        assert float(value) == pytest.approx(expected, rel=1e-5)
