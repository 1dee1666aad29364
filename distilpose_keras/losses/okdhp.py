"""The losses of OKDHP: branches that learn from the labels and from their ensemble.

Li et al., "Online Knowledge Distillation for Efficient Pose Estimation" (ICCV 2021).

Legend: B samples, N branches, O outputs (every stack of every branch), K keypoints,
(H, W) heatmap pixels. Nothing is detached: the ensemble is pulled towards the outputs
as they are towards it.
"""

import keras
from keras import layers, ops

from distilpose_keras.losses.hourglass import stacked_heatmap_loss
from distilpose_keras.losses.means import as_float32, mean_of_sums

# Published code; its configuration of COCO leaves them as they are.
DISTILLATION_WEIGHT = 5.0
ENSEMBLE_WEIGHT = 6.0
RAMP_EPOCHS = 60


@keras.saving.register_keras_serializable("distilpose_keras")
class OnlineDistillationLoss(layers.Layer):
    """The loss on labels of a model that predicts `stacked_heatmaps` and `ensemble`.

    Attributes:
        epoch: number of finished epochs, a weight that is not trained; a trainer sets
            it by `on_epoch_begin`.
    """

    terms = ("heatmap", "ensemble", "distillation")

    def __init__(self, codec, **kwargs):
        """Say how labels are drawn."""
        super().__init__(**{"dtype": "float32", **kwargs})
        self.codec = codec
        self.epoch = self.add_weight(
            name="epoch", shape=(), initializer="zeros", trainable=False
        )
        self.built = True

    def on_epoch_begin(self, epoch):
        """Note how many epochs are finished: the distillation grows with them."""
        self.epoch.assign(epoch)

    def call(self, outputs, targets, sample_weight=None):
        """Return the three terms, weighted."""
        heatmaps, weights = self.codec.graph_encode(
            targets["keypoints"], targets["weights"]
        )
        return okdhp_terms(
            outputs["stacked_heatmaps"],
            outputs["ensemble"],
            heatmaps,
            weights,
            self.epoch,
            sample_weight=sample_weight,
        )

    def get_config(self):
        """Return the constructor's arguments."""
        codec = keras.saving.serialize_keras_object(self.codec)
        return {**super().get_config(), "codec": codec}

    @classmethod
    def from_config(cls, config):
        """Make the loss that `get_config` describes."""
        codec = keras.saving.deserialize_keras_object(config.pop("codec"))
        return cls(codec, **config)


def okdhp_terms(
    outputs,
    ensemble,
    targets,
    weights,
    epoch,
    *,
    distillation_weight=DISTILLATION_WEIGHT,
    ensemble_weight=ENSEMBLE_WEIGHT,
    ramp_epochs=RAMP_EPOCHS,
    sample_weight=None,
):
    """Return the three terms, weighted; their sum is the loss.

    Args:
        outputs: (B, O, K, H, W) heatmaps.
        ensemble: (B, K, H, W) from `ensemble_heatmaps`.
        targets: (B, K, H, W).
        weights: (B, K, 1) 1 for a labelled keypoint, 0 otherwise.
        epoch: number of finished epochs, from 0; a number or a scalar tensor.
        distillation_weight: of the distance to the ensemble, once ramped up.
        ensemble_weight: of the ensemble's distance to the targets.
        ramp_epochs: see `ramp_up`.
        sample_weight: optional (B,).

    Returns:
        dict of ``heatmap``, ``ensemble`` and ``distillation``, scalars.
    """
    heatmap = stacked_heatmap_loss(
        outputs, targets, weights, sample_weight=sample_weight
    )
    of_ensemble = stacked_heatmap_loss(
        ensemble[:, None], targets, weights, sample_weight=sample_weight
    )
    distillation = distillation_loss(
        outputs, ensemble, weights, sample_weight=sample_weight
    )
    return {
        "heatmap": heatmap,
        "ensemble": ensemble_weight * of_ensemble,
        "distillation": distillation_weight
        * ramp_up(epoch, ramp_epochs)
        * distillation,
    }


def ensemble_heatmaps(branches, logits):
    """Average the branches, keypoint by keypoint.

    Args:
        branches: (B, N, K, H, W) heatmaps of the last stack of each branch.
        logits: (B, N, K) of the feature aggregation unit.

    Returns:
        (B, K, H, W) float32.
    """
    branches, logits = as_float32(branches, logits)
    shares = ops.softmax(logits, axis=1)[..., None, None]
    return ops.sum(shares * branches, axis=1)


def distillation_loss(outputs, ensemble, weights, *, sample_weight=None):
    """Kullback-Leibler divergence of the outputs from the ensemble.

    Of the softmax over the pixels of each heatmap; summed over outputs and keypoints,
    divided by H W, a mean over samples. A hidden keypoint is uniform in both, hence 0.

    Args:
        outputs: (B, O, K, H, W) heatmaps.
        ensemble: (B, K, H, W) heatmaps, differentiated too.
        weights: (B, K, 1).
        sample_weight: optional (B,).
    """
    outputs, ensemble, weights = as_float32(outputs, ensemble, weights)
    pixels = outputs.shape[-2] * outputs.shape[-1]
    weights = weights[:, None]  # (B, 1, K, 1)
    log_p = ops.log_softmax(weights * _flat(outputs), axis=-1)
    log_q = ops.log_softmax(weights * _flat(ensemble[:, None]), axis=-1)
    divergence = ops.exp(log_q) * (log_q - log_p)  # (B, O, K, H W)
    return mean_of_sums(divergence, sample_weight) / pixels


def ramp_up(epoch, ramp_epochs=RAMP_EPOCHS):
    """Return the factor of the distillation: from exp(-5) in epoch 0 up to 1.

    Args:
        epoch: number of finished epochs, a number or a scalar tensor.
        ramp_epochs: the epoch from which the factor is 1.
    """
    missing = 1.0 - ops.minimum(ops.cast(epoch, "float32") / ramp_epochs, 1.0)
    return ops.exp(-5.0 * ops.square(missing))


def _flat(heatmaps):
    """(B, O, K, H, W) to (B, O, K, H W)."""
    *_, outputs, keypoints, height, width = heatmaps.shape
    return ops.reshape(heatmaps, (-1, outputs, keypoints, height * width))
