"""Losses between heatmaps. Legend: B samples, K keypoints, (H, W) heatmap pixels."""

from keras import ops

from distilpose_keras.losses.means import as_float32, mean_of_means
from distilpose_keras.types import Tensor


def heatmap_loss(
    heatmaps: Tensor,
    targets: Tensor,
    weights: Tensor,
    *,
    sample_weight: Tensor | None = None,
) -> Tensor:
    """Squared difference of heatmaps, averaged over labelled and hidden keypoints.

    Args:
        heatmaps: (B, K, H, W).
        targets: (B, K, H, W).
        weights: (B, K, 1).
        sample_weight: optional (B,).
    """
    heatmaps, targets, weights = as_float32(heatmaps, targets, weights)
    difference = ops.square(heatmaps - targets)
    return mean_of_means(weights[..., None] * difference, sample_weight)
