"""The losses of FPD against the published implementation."""

import numpy as np
import pytest

from distilpose_keras.losses import fpd


@pytest.fixture(scope="module")
def reference(parity):
    return parity("families/fpd/losses")


def load(reference):
    """Stacks of the student (B, S, K, H, W); teacher, targets and weights."""
    stacks = np.swapaxes(reference["in_student"], 0, 1)
    weights = reference["in_weight"][..., None]
    return stacks, reference["in_teacher"], reference["in_target"], weights


@pytest.mark.backend
def test_terms_equal_the_published_ones(reference):
    alpha = float(reference["alpha"])
    terms = fpd.fpd_terms(*load(reference), alpha=alpha)
    pose, teacher = (float(reference[f"loss_{name}"]) for name in ("pose", "kd"))
    assert alpha == 0.3
    assert float(terms["heatmap"]) == pytest.approx(0.7 * pose, rel=1e-5)
    assert float(terms["distillation"]) == pytest.approx(0.3 * teacher, rel=1e-5)
    total = float(reference["loss_total"])
    assert float(sum(terms.values())) == pytest.approx(total, rel=1e-5)


@pytest.mark.backend
def test_gradient_equals_the_published_one(reference, value_and_gradients):
    stacks, teacher, *rest = load(reference)

    def total(tensors):
        terms = fpd.fpd_terms(tensors["stacks"], tensors["teacher"], *rest, alpha=0.3)
        return sum(terms.values())

    arrays = {"stacks": stacks, "teacher": teacher}
    _, gradients = value_and_gradients(total, arrays)
    expected = np.swapaxes(reference["grad_student"], 0, 1)
    np.testing.assert_allclose(
        gradients["stacks"][..., ::2, ::2],
        expected,
        rtol=1e-5,
        atol=1e-5 * np.abs(expected).max(),
    )
    assert gradients["teacher"] is None or not np.any(gradients["teacher"])


def test_teacher_and_labels_share_evenly_unless_told_otherwise(reference):
    terms = fpd.fpd_terms(*load(reference))
    for term, name in (("heatmap", "pose"), ("distillation", "kd")):
        expected = 0.5 * float(reference[f"loss_{name}"])
        assert float(terms[term]) == pytest.approx(expected, rel=1e-5)


def test_hidden_keypoints_are_taught_nothing(reference):
    stacks, teacher, targets, weights = load(reference)
    other = teacher + 5 * (1 - weights[..., None])
    terms = fpd.fpd_terms(stacks, teacher, targets, weights)
    again = fpd.fpd_terms(stacks, other, targets, weights)
    assert float(terms["distillation"]) == float(again["distillation"])
