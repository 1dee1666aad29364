"""Losses of location maps, of the coordinates read off them, and of their scores.

Legend: B samples, K keypoints, (H, W) pixels of a map. Joints of weight 0 are left out;
a joint of weight 0.4 counts 0.4 times as much as one of weight 1. All losses are means
over the B * K joints, left-out ones included, so that crowded and sparse batches step
alike per label, and take an optional ``sample_weight`` (B,).
"""

import keras
import numpy as np
from keras import ops

# Of a crop's area, the silhouette of the person that it shows: people fill 0.53 of
# their boxes (people_real), boxes 1 / 1.25^2 of the crop and less where the aspect
# ratio differs.
PERSON_SHARE = 0.25


REGRESSION_WEIGHT = 10.0  # of an error in [0, 1] of the crop; 0.3 of a map pixel's


@keras.saving.register_keras_serializable("distilpose_keras")
class LocationLoss:
    """What a model with location maps learns from labels.

    The terms are ``location``, the cross-entropy of the maps to a Gaussian around the
    label, ``regression``, the distance of the coordinates, and ``score``, the error of
    the scores as forecasts of how near the label is (`nearness`).
    """

    terms = ("location", "regression", "score")

    def __init__(self, sigma, input_size, joint_sigmas, offset=0.0):
        """Say how near is near.

        Args:
            sigma: of the target Gaussians, in pixels of the map.
            input_size: (height, width) of the crop.
            joint_sigmas: (K,) of the keypoints, as COCO defines them.
            offset: where pixel 0 of the map lies, in pixels of the map.
        """
        self.sigma = float(sigma)
        self.offset = float(offset)
        self.input_size = tuple(input_size)
        self.joint_sigmas = tuple(map(float, joint_sigmas))
        self._spreads = joint_spreads(self.joint_sigmas, self.input_size)

    def __call__(self, outputs, targets, sample_weight=None):
        """Return the three terms."""
        points = targets["keypoints"]
        of_batch = {"weights": targets["weights"], "sample_weight": sample_weight}
        near = nearness(outputs["keypoints"], points, self._spreads)
        return {
            "location": location_loss(
                outputs["location_logits"],
                points,
                sigma=self.sigma,
                offset=self.offset,
                **of_batch,
            ),
            "regression": REGRESSION_WEIGHT
            * distance_loss(outputs["keypoints"], points, **of_batch),
            "score": nearness_loss(outputs["scores"], near, **of_batch),
        }

    def get_config(self):
        """Return the constructor's arguments."""
        return {
            "sigma": self.sigma,
            "input_size": list(self.input_size),
            "joint_sigmas": list(self.joint_sigmas),
            "offset": self.offset,
        }


def location_loss(logits, keypoints, *, weights, sigma, offset=0.0, sample_weight=None):
    """Cross-entropy of softmax maps to Gaussians around the labels.

    Args:
        logits: (B, K, H, W).
        keypoints: (B, K, 2) in [0, 1] of the crop.
        weights: (B, K, 1).
        sigma: of the Gaussians, in pixels of the map.
        offset: where pixel 0 of the map lies, in pixels of the map.
        sample_weight: optional (B,).
    """
    height, width = logits.shape[2:]
    logits, keypoints, weights = _float32(logits, keypoints, weights)
    x, y = keypoints[..., 0] * width - offset, keypoints[..., 1] * height - offset
    rows = _normalised_gaussian(height, y, sigma)
    columns = _normalised_gaussian(width, x, sigma)
    # The target is a product of both, so no (B, K, H, W) map of it is needed.
    over_rows = ops.einsum("bkhw,bkh->bkw", logits, rows)
    agreement = ops.sum(over_rows * columns, axis=-1, keepdims=True)  # (B, K, 1)
    total = ops.logsumexp(logits, axis=(2, 3))[..., None]
    return _mean((total - agreement) * weights, sample_weight)


def distance_loss(keypoints, targets, *, weights, sample_weight=None):
    """Mean absolute difference of coordinates.

    Args:
        keypoints: (B, K, 2) predictions in [0, 1] of the crop.
        targets: (B, K, 2).
        weights: (B, K, 1).
        sample_weight: optional (B,).
    """
    keypoints, targets, weights = _float32(keypoints, targets, weights)
    return _mean(ops.abs(keypoints - targets) * weights, sample_weight)


def joint_spreads(sigmas, input_size):
    """(K, 2) distances in [0, 1] of the crop at which a joint's OKS is exp(-1/2).

    Args:
        sigmas: (K,) of the keypoints, as COCO defines them.
        input_size: (height, width) of the crop, in pixels.
    """
    height, width = input_size
    pixels = 2 * np.asarray(sigmas) * np.sqrt(PERSON_SHARE * height * width)
    return (pixels[:, None] / [width, height]).astype("float32")


def nearness(keypoints, targets, spreads):
    """How near predictions are to the labels, in (0, 1]: the OKS of every joint.

    Args:
        keypoints: (B, K, 2) predictions in [0, 1] of the crop.
        targets: (B, K, 2).
        spreads: (K, 2) of `joint_spreads`.

    Returns:
        (B, K, 1), not differentiated.
    """
    keypoints, targets, spreads = _float32(keypoints, targets, spreads)
    squares = ops.square((keypoints - targets) / spreads)
    return ops.stop_gradient(ops.exp(-0.5 * ops.sum(squares, axis=-1, keepdims=True)))


def nearness_loss(scores, targets, *, weights, sample_weight=None):
    """Mean squared error of scores as forecasts of `nearness`.

    Args:
        scores: (B, K, 1) predictions.
        targets: (B, K, 1).
        weights: (B, K, 1).
        sample_weight: optional (B,).
    """
    scores, targets, weights = _float32(scores, targets, weights)
    return _mean(ops.square(scores - targets) * weights, sample_weight)


def _float32(*tensors):
    """Make tensors of whatever came, in the precision that sums of many pixels need."""
    return [ops.cast(tensor, "float32") for tensor in tensors]


def _normalised_gaussian(length, centers, sigma):
    """(..., length) weights of pixels 0, 1, ... that sum to 1, wherever the centre."""
    distance = ops.arange(length, dtype="float32") - centers[..., None]
    return ops.softmax(-0.5 * ops.square(distance / sigma))


def _mean(values, sample_weight):
    """Mean over all elements of ``values`` (B, K, n), samples weighted."""
    if sample_weight is not None:
        values = values * ops.cast(sample_weight, "float32")[:, None, None]
    return ops.mean(values)
