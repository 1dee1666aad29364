"""The set loss of PRTR: each joint is matched to a query, the other queries to nothing.

Li et al., "Pose Recognition with Cascade Transformers" (CVPR 2021), after DETR (Carion
et al., ECCV 2020). Every decoder layer is matched and judged on its own.

Legend: B samples, L decoder layers, Q queries, K joints. Class logits have K + 1
entries, the last for "no joint". Unlabelled joints are matched and classified as the
point (0, 0), as in the published code; only their distance does not count.
"""

import keras
from keras import ops

from distilpose_keras.assignment import linear_assignment
from distilpose_keras.losses.means import as_float32, mean_of_sums

# Published configuration.
MATCHING_KEYPOINT_COST = 5.0
KEYPOINT_WEIGHT = 5.0
BACKGROUND_WEIGHT = 0.1  # of a query that stands for no joint, in the class loss


def prtr_terms(logits, keypoints, targets, weights, *, sample_weight=None):
    """Return both terms, weighted and summed over the decoder layers.

    Args:
        logits: (B, L, Q, K + 1).
        keypoints: (B, L, Q, 2) predictions in [0, 1] of the crop.
        targets: (B, K, 2) ground truth in the same unit.
        weights: (B, K, 1) 1 for a labelled joint, 0 otherwise.
        sample_weight: optional (B,).

    Returns:
        dict of ``class`` and ``keypoint``, scalars; their sum is the loss.
    """
    targets, weights = as_float32(targets, weights)
    targets, weights = targets[:, None], weights[:, None]  # (B, 1, K, ...) every layer
    matches = match(logits, keypoints, targets * weights)
    layers = logits.shape[1]
    classes = class_loss(logits, matches, sample_weight=sample_weight)
    distances = keypoint_loss(
        keypoints, matches, targets, weights, sample_weight=sample_weight
    )
    return {
        "class": layers * classes,
        "keypoint": KEYPOINT_WEIGHT * layers * distances,
    }


def match(logits, keypoints, targets):
    """Return the query of each joint (..., K) int32 at the least total cost.

    The cost of a pair is the L1 distance, times 5, minus the probability of the class
    (among all K + 1). Not differentiated.

    Args:
        logits: (..., Q, K + 1).
        keypoints: (..., Q, 2).
        targets: (..., K, 2).
    """
    logits, keypoints, targets = as_float32(logits, keypoints, targets)
    offsets = keypoints[..., None, :, :] - targets[..., :, None, :]  # (..., K, Q, 2)
    distances = ops.sum(ops.abs(offsets), axis=-1)
    probabilities = ops.softmax(logits, axis=-1)[..., :-1]  # (..., Q, K)
    costs = MATCHING_KEYPOINT_COST * distances - ops.swapaxes(probabilities, -1, -2)
    return linear_assignment(costs)


def class_loss(logits, matches, *, sample_weight=None):
    """Weighted cross-entropy of all queries, a mean over samples and layers.

    A query that stands for no joint counts a tenth; the sum over queries is divided by
    the sum of their weights, K + (Q - K) / 10.

    Args:
        logits: (B, L, Q, K + 1).
        matches: (B, L, K) from `match`.
        sample_weight: optional (B,).
    """
    (logits,) = as_float32(logits)
    queries, joints = logits.shape[-2], logits.shape[-1] - 1
    surprise = -ops.log_softmax(logits, axis=-1)
    rows = ops.take_along_axis(surprise, matches[..., None], axis=-2)  # (B, L, K, K+1)
    as_joint = rows[..., :-1] * ops.eye(joints, dtype="float32")
    as_joint = ops.sum(as_joint, axis=(-2, -1))
    unmatched = ops.sum(surprise[..., -1], axis=-1) - ops.sum(rows[..., -1], axis=-1)
    total = as_joint + BACKGROUND_WEIGHT * unmatched  # (B, L)
    total = total / (joints + BACKGROUND_WEIGHT * (queries - joints))
    return mean_of_sums(total, sample_weight) / logits.shape[1]


def keypoint_loss(keypoints, matches, targets, weights, *, sample_weight=None):
    """Mean absolute difference of a coordinate, times K, over samples and layers.

    Args:
        keypoints: (B, L, Q, 2).
        matches: (B, L, K) from `match`.
        targets: (B, 1, K, 2), for every layer.
        weights: (B, 1, K, 1); the divisor counts hidden joints too.
        sample_weight: optional (B,).
    """
    keypoints, targets, weights = as_float32(keypoints, targets, weights)
    matched = ops.take_along_axis(keypoints, matches[..., None], axis=-2)
    distances = weights * ops.abs(matched - targets)  # (B, L, K, 2)
    coordinates = distances.shape[-1] * keypoints.shape[1]
    return mean_of_sums(distances, sample_weight) / coordinates


@keras.saving.register_keras_serializable("distilpose_keras")
class PRTRLoss:
    """`prtr_terms` as a `LabelLoss` of a model that predicts `logits` and `points`."""

    terms = ("class", "keypoint")

    def __call__(self, outputs, targets, sample_weight=None):
        """Return the terms `class` and `keypoint`."""
        return prtr_terms(
            outputs["logits"],
            outputs["points"],
            targets["keypoints"],
            targets["weights"],
            sample_weight=sample_weight,
        )

    def get_config(self):
        """Return the constructor's arguments: none."""
        return {}
