"""The loss of TransPose and of TokenPose's own releases.

Yang et al., "TransPose: Keypoint Localization via Transformer" (ICCV 2021); Li et al.,
"TokenPose: Learning Keypoint Tokens for Human Pose Estimation" (ICCV 2021).

Legend: B samples, K keypoints, (H, W) heatmap pixels.
"""

import keras
from keras import ops

from distilpose_keras.losses.labels import HeatmapLoss
from distilpose_keras.losses.means import as_float32, mean_of_means


def half_heatmap_loss(heatmaps, targets, weights, *, sample_weight=None):
    """Half the mean squared difference of weighted heatmaps.

    Args:
        heatmaps: (B, K, H, W).
        targets: (B, K, H, W).
        weights: (B, K, 1) 1 for a labelled keypoint, 0 otherwise.
        sample_weight: optional (B,).
    """
    heatmaps, targets, weights = as_float32(heatmaps, targets, weights)
    weights = weights[..., None]
    difference = ops.square(weights * heatmaps - weights * targets)
    return 0.5 * mean_of_means(difference, sample_weight)


@keras.saving.register_keras_serializable("distilpose_keras")
class HalfHeatmapLoss(HeatmapLoss):
    """`half_heatmap_loss` to Gaussians around the labels, drawn by a codec."""

    def __call__(self, outputs, targets, sample_weight=None):
        """Return the term `heatmap`."""
        heatmaps, weights = self.codec.graph_encode(
            targets["keypoints"], targets["weights"]
        )
        loss = half_heatmap_loss(
            outputs["heatmaps"], heatmaps, weights, sample_weight=sample_weight
        )
        return {"heatmap": loss}
