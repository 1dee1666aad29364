"""The losses of SimCC and RTMPose: two classifications, of the column and of the row.

Li et al., "SimCC: a Simple Coordinate Classification Perspective for Human Pose
Estimation" (ECCV 2022); Jiang et al., "RTMPose" (2023). Targets are those of
`distilpose_keras.codecs.simcc`.

Legend: B samples, K keypoints, X bins of columns, Y bins of rows.

The published code adds up the samples of a batch; here the loss is their mean, as all
losses are. To train with the published magnitude (which only the epsilon of Adam and
clipped gradients can tell), weight it by the number of samples on a device.
"""

import keras
from keras import ops

from distilpose_keras.codecs.simcc import RTMPOSE, SIMCC, SimCCCodec, encode_simcc
from distilpose_keras.losses.means import as_float32, mean_of_sums


@keras.saving.register_keras_serializable("distilpose_keras")
class SimCCLoss:
    """What a model of two classifications learns from labels."""

    terms = ("simcc",)

    def __init__(self, codec: SimCCCodec):
        """Say how labels become distributions."""
        self.codec = codec

    def __call__(self, outputs, targets, sample_weight=None):
        """Return the term `simcc`."""
        codec = self.codec
        *distributions, weights = encode_simcc(
            targets["keypoints"], targets["weights"], codec.crop_size, codec.targets
        )
        logits = [outputs[name] for name in codec.outputs]
        loss = simcc_loss if codec.targets.normalized else rtmpose_loss
        value = loss(*logits, *distributions, weights, sample_weight=sample_weight)
        return {"simcc": value}

    def get_config(self):
        """Return the constructor's arguments."""
        return {"codec": keras.saving.serialize_keras_object(self.codec)}

    @classmethod
    def from_config(cls, config):
        """Make the loss that `get_config` describes."""
        return cls(keras.saving.deserialize_keras_object(config["codec"]))


def simcc_loss(
    x_logits, y_logits, x_targets, y_targets, weights, *, sample_weight=None
):
    """Kullback-Leibler divergence of the predicted from the target distributions.

    Averaged over bins, summed over the axes, averaged over labelled and hidden
    keypoints. Targets that are cut at the border are not normalised again.

    Args:
        x_logits: (B, K, X).
        y_logits: (B, K, Y).
        x_targets: (B, K, X) probabilities.
        y_targets: (B, K, Y) probabilities.
        weights: (B, K, 1) 1 for a labelled keypoint, 0 otherwise.
        sample_weight: optional (B,).
    """
    arrays = as_float32(x_logits, y_logits)
    x_logits, y_logits = (SIMCC.beta * logits for logits in arrays)
    x = _divergence(x_logits, x_targets, weights, sample_weight)
    return x + _divergence(y_logits, y_targets, weights, sample_weight)


def rtmpose_loss(
    x_logits, y_logits, x_targets, y_targets, weights, *, sample_weight=None
):
    """`simcc_loss` with both sides sharpened: softmax(10 logits), softmax(10 targets).

    Args:
        x_logits: (B, K, X).
        y_logits: (B, K, Y).
        x_targets: (B, K, X) Gaussians with the maximum 1.
        y_targets: (B, K, Y) Gaussians with the maximum 1.
        weights: (B, K, 1).
        sample_weight: optional (B,).
    """
    arrays = as_float32(x_logits, y_logits, x_targets, y_targets)
    x_logits, y_logits, x_targets, y_targets = (RTMPOSE.beta * a for a in arrays)
    x_targets, y_targets = (ops.softmax(t, axis=-1) for t in (x_targets, y_targets))
    x = _divergence(x_logits, x_targets, weights, sample_weight)
    return x + _divergence(y_logits, y_targets, weights, sample_weight)


def _divergence(logits, targets, weights, sample_weight):
    logits, targets, weights = as_float32(logits, targets, weights)
    # 0 log 0 = 0: the logarithm of 1 where there is nothing to take it of.
    log_targets = ops.log(ops.where(targets > 0, targets, 1.0))
    divergence = targets * (log_targets - ops.log_softmax(logits, axis=-1))
    per_keypoint = ops.mean(divergence, axis=-1, keepdims=True) * weights  # (B, K, 1)
    return mean_of_sums(per_keypoint, sample_weight) / logits.shape[1]
