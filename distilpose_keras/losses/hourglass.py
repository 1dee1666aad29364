"""The loss of stacked hourglasses: every stack's heatmaps count.

Newell et al., "Stacked Hourglass Networks for Human Pose Estimation" (ECCV 2016), with
the constants of the code that FPD and OKDHP share.

Legend: B samples, S stacks, K keypoints, (H, W) heatmap pixels.
"""

import keras
from keras import ops

from distilpose_keras.losses.labels import HeatmapLoss
from distilpose_keras.losses.means import as_float32, mean_of_means


def stacked_heatmap_loss(stacks, targets, weights, *, sample_weight=None):
    """Half the mean squared difference of heatmaps, summed over the stacks.

    Args:
        stacks: (B, S, K, H, W) predictions.
        targets: (B, K, H, W).
        weights: (B, K, 1) 1 for a labelled keypoint, 0 otherwise.
        sample_weight: optional (B,).
    """
    stacks, targets, weights = as_float32(stacks, targets, weights)
    weights = weights[:, None, :, :, None]  # (B, 1, K, 1, 1)
    difference = ops.square(weights * (stacks - targets[:, None]))
    return 0.5 * stacks.shape[1] * mean_of_means(difference, sample_weight)


@keras.saving.register_keras_serializable("distilpose_keras")
class StackedHeatmapLoss(HeatmapLoss):
    """The loss on labels of a model that predicts `stacked_heatmaps`."""

    def __call__(self, outputs, targets, sample_weight=None):
        """Return the term `heatmap`."""
        heatmaps, weights = self.codec.graph_encode(
            targets["keypoints"], targets["weights"]
        )
        loss = stacked_heatmap_loss(
            outputs["stacked_heatmaps"], heatmaps, weights, sample_weight=sample_weight
        )
        return {"heatmap": loss}
