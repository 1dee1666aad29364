"""The loss of stacked hourglasses; FPD's and OKDHP's tests compare it with theirs."""

import numpy as np
import pytest

from distilpose_keras.losses.hourglass import stacked_heatmap_loss


def test_every_stack_counts_in_full():
    targets = np.zeros((1, 2, 4, 3), "float32")
    weights = np.array([[[1.0], [0.0]]])
    stacks = np.stack([targets + 1, targets + 3], axis=1)  # (1, 2, 2, 4, 3)
    # One of two keypoints is labelled: half of 1 and half of 9, halved again.
    value = stacked_heatmap_loss(stacks, targets, weights)
    assert float(value) == pytest.approx(0.25 * 1 + 0.25 * 9)


def test_sample_weight_scales_the_loss_of_each_sample():
    stacks = np.ones((2, 3, 1, 2, 2), "float32")
    stacks[1] = 2
    weights = np.ones((2, 1, 1), "float32")
    value = stacked_heatmap_loss(
        stacks, 0 * stacks[:, 0], weights, sample_weight=np.array([0.0, 1.0])
    )
    assert float(value) == pytest.approx(3 * 0.5 * 4 / 2)
