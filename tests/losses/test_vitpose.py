"""The distillation of ViTPose against references computed from its definition."""

import numpy as np
import pytest

from distilpose_keras.losses import vitpose


@pytest.fixture(scope="module")
def reference(parity):
    return parity("families/vitpose/losses")


def load(reference):
    """Student, teacher, targets (B, K, H, W) and weights (B, K, 1)."""
    maps = [reference[f"some_hidden/in_{k}"] for k in ("student", "teacher", "target")]
    return *maps, reference["some_hidden/in_weight"][..., None]


@pytest.mark.backend
def test_terms_equal_the_reference(reference):
    terms = vitpose.vitpose_terms(*load(reference))
    for term, value in terms.items():
        expected = float(reference[f"some_hidden/loss_{term}"])
        assert float(value) == pytest.approx(expected, rel=1e-5)


@pytest.mark.backend
def test_gradient_equals_the_reference(reference, value_and_gradients):
    student, teacher, *rest = load(reference)

    def total(tensors):
        terms = vitpose.vitpose_terms(tensors["student"], tensors["teacher"], *rest)
        return sum(terms.values())

    arrays = {"student": student, "teacher": teacher}
    value, gradients = value_and_gradients(total, arrays)
    assert value == pytest.approx(float(reference["some_hidden/loss_total"]), rel=1e-5)
    expected = reference["some_hidden/grad_student"]
    np.testing.assert_allclose(
        gradients["student"][..., ::2, ::2],
        expected,
        rtol=1e-5,
        atol=1e-5 * np.abs(expected).max(),
    )
    assert gradients["teacher"] is None or not np.any(gradients["teacher"])
