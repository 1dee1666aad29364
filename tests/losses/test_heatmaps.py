"""The distance of heatmaps, by hand."""

import numpy as np
import pytest

from distilpose_keras.losses.heatmaps import heatmap_loss


def test_heatmap_loss_is_the_mean_over_all_pixels():
    maps = np.ones((1, 2, 4, 3), "float32")
    weights = np.array([[[1.0], [0.0]]])
    assert float(heatmap_loss(maps, 3 * maps, weights)) == pytest.approx(2.0)


def test_samples_are_weighted_after_their_own_mean():
    maps = np.stack([np.zeros((2, 4, 3)), np.ones((2, 4, 3))]).astype("float32")
    weights = np.ones((2, 2, 1))
    found = heatmap_loss(maps, 0 * maps, weights, sample_weight=np.array([5.0, 0.5]))
    assert float(found) == pytest.approx((5 * 0 + 0.5 * 1) / 2)
