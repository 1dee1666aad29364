"""The losses of Poseur: RLE's after the encoder and after every decoder layer.

Mao et al., "Poseur: Direct Human Pose Regression with Transformers" (ECCV 2022).

Legend: B samples, K keypoints, L decoder layers, Q queries: in training the K keypoints
and noisy copies of them, Q = 4 K, copy after copy. Keypoints, targets and sigmas are in
[0, 1] of the crop. Every loss is a mean over queries and samples, a sum over
coordinates and layers.
"""

from keras import ops

from distilpose_keras.losses.rle import rle_loss

PRIOR_MEAN = 0.5  # of both flows, where RLE's have 0
# Published code: three copies of the coarse keypoints, noise clipped, result clipped.
NOISY_COPIES = 3
NOISE_LIMIT = 1.0
REFERENCE_LIMITS = (-0.7, 1.7)


def coarse_loss(keypoints, sigmas, targets, weights, flow, *, sample_weight=None):
    """Loss of the keypoints that the encoder regresses.

    Args:
        keypoints: (B, K, 2) predictions.
        sigmas: (B, K, 2) predictions, above 0.
        targets: (B, K, 2) ground truth.
        weights: (B, K, 1) 1 for a labelled keypoint, 0 otherwise.
        flow: `RealNVP` with `PRIOR_MEAN`, the encoder's own.
        sample_weight: optional (B,).
    """
    loss = rle_loss(
        keypoints, sigmas, targets, weights, flow, sample_weight=sample_weight
    )
    return loss / targets.shape[1]


def decoder_loss(keypoints, sigmas, targets, weights, flow, *, sample_weight=None):
    """Sum of the losses of all decoder layers.

    Args:
        keypoints: (B, L, Q, 2) predictions, Q a multiple of K.
        sigmas: (B, L, Q, 2) predictions, above 0.
        targets: (B, K, 2) ground truth.
        weights: (B, K, 1).
        flow: `RealNVP` with `PRIOR_MEAN`, shared by the layers.
        sample_weight: optional (B,).
    """
    layers, queries = keypoints.shape[1:3]
    repeats = (1, layers * queries // targets.shape[1], 1)
    loss = rle_loss(
        ops.reshape(keypoints, (-1, layers * queries, 2)),
        ops.reshape(sigmas, (-1, layers * queries, 2)),
        ops.tile(targets, repeats),
        ops.tile(weights, repeats),
        flow,
        sample_weight=sample_weight,
    )
    return loss / queries


def noisy_references(keypoints, noise, chosen):
    """Return the points that the decoder starts from in training.

    The keypoints themselves, then three copies of them in which some are moved: the
    decoder learns to come back from far away.

    Args:
        keypoints: (B, K, 2) coarse keypoints, not differentiated.
        noise: (B, M, 2) offsets; published: M = 12, of variance 0.2.
        chosen: (M,) int, which of the 3 K copies are moved, each at most once.

    Returns:
        (B, 4 K, 2) float32.
    """
    keypoints = ops.stop_gradient(ops.cast(keypoints, "float32"))
    copies = ops.tile(keypoints, (1, NOISY_COPIES, 1))  # (B, 3 K, 2)
    noise = ops.clip(ops.cast(noise, "float32"), -NOISE_LIMIT, NOISE_LIMIT)
    place = ops.one_hot(chosen, copies.shape[1], dtype="float32")  # (M, 3 K)
    moved = ops.any(place > 0, axis=0)[:, None]
    offsets = ops.einsum("bmc,mk->bkc", noise, place)
    copies = ops.where(moved, ops.clip(copies + offsets, *REFERENCE_LIMITS), copies)
    return ops.concatenate([keypoints, copies], axis=1)
