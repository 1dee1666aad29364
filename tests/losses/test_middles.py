"""The finder's losses: cells and boxes worked by hand."""

import math

import keras
import numpy as np
import pytest

from distilpose_keras.losses.middles import middle_loss, side_loss


def number(value):
    return float(keras.ops.convert_to_numpy(value))


@pytest.mark.backend
def test_the_focal_loss_of_three_cells():
    # A middle seen with 0.5; a cell beside it (0.5) and a far one, both said 0.5.
    logits = np.zeros((1, 1, 3, 1), "float32")
    middles = np.array([1.0, 0.5, 0.0], "float32").reshape(1, 1, 3, 1)
    counted = np.ones_like(middles)
    half = 0.5**2 * math.log(2)
    expected = half + 0.5**4 * half + half
    assert number(middle_loss(logits, middles, counted)) == pytest.approx(expected)
    counted[0, 0, 2] = 0
    expected -= half
    assert number(middle_loss(logits, middles, counted)) == pytest.approx(expected)


@pytest.mark.backend
def test_a_picture_with_nobody_in_it_has_a_finite_loss():
    zeros = np.zeros((1, 2, 2, 1), "float32")
    loss = number(middle_loss(zeros, zeros, zeros + 1))
    assert loss == pytest.approx(4 * 0.25 * math.log(2))


@pytest.mark.backend
def test_generalised_iou_by_hand():
    # 4 x 2 against 2 x 4 about one point: they share 2 x 2 of 12, within 4 x 4.
    tensor = keras.ops.convert_to_tensor
    sides = tensor(np.array([[2, 1, 2, 1]], "float32"))
    others = tensor(np.array([[1, 2, 1, 2]], "float32"))
    one = tensor(np.ones((1, 1), "float32"))
    expected = 1 - 4 / 12 + (16 - 12) / 16
    assert number(side_loss(sides, others, one)) == pytest.approx(expected)
    assert number(side_loss(sides, sides, one)) == pytest.approx(0, abs=1e-6)
    both = [keras.ops.concatenate([other, sides]) for other in (sides, others)]
    shares = tensor(np.array([[0.25], [0.75]], "float32"))
    assert number(side_loss(*both, shares)) == pytest.approx(expected / 4)
