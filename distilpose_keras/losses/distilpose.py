"""The loss terms of DistilPose, and the maps they compare.

Everything here is a pure function of tensors, computed in float32 whatever the
precision of its inputs. Legend: B samples, K keypoints, (H, W) heatmap pixels, P
visual tokens, D their width. Every loss is a mean over all elements of its tensors,
as in the published code; hidden keypoints count as zero, sample by sample.

All losses take an optional ``sample_weight`` (B,): the mean is then over
``sample_weight * loss of the sample``, as in Keras.
"""

from keras import ops

from distilpose_keras.codecs.gaussians import BOX_SIGMAS
from distilpose_keras.losses.heatmaps import heatmap_loss
from distilpose_keras.losses.means import as_float32, mean_of_means
from distilpose_keras.types import Size, Tensor

# Published code: keeps the Gaussian finite for a standard deviation of zero.
VARIANCE_EPSILON = 1e-9


def regression_loss(
    keypoints: Tensor,
    targets: Tensor,
    weights: Tensor,
    *,
    sample_weight: Tensor | None = None,
) -> Tensor:
    """Smooth L1 (beta 1) between predicted and true keypoints.

    Args:
        keypoints: (B, K, 2) predictions in [0, 1] of the crop.
        targets: (B, K, 2) ground truth in the same unit.
        weights: (B, K, 1) 1 for a labelled keypoint, 0 otherwise.
        sample_weight: optional (B,).
    """
    keypoints, targets, weights = as_float32(keypoints, targets, weights)
    distance = ops.abs(keypoints * weights - targets * weights)
    # 0.5 d^2 up to 1, d - 0.5 beyond; without a branch that needs a safe gradient.
    quadratic = ops.minimum(distance, 1.0)
    return mean_of_means(quadratic * (distance - 0.5 * quadratic), sample_weight)


def token_loss(
    student_tokens: Tensor,
    teacher_tokens: Tensor,
    *,
    sample_weight: Tensor | None = None,
) -> Tensor:
    """Mean squared difference of two sets of tokens (equations 3 and 4 of the paper).

    Args:
        student_tokens: (B, K, D) keypoint tokens or (B, P, D) visual tokens.
        teacher_tokens: the teacher's, same shape; not differentiated.
        sample_weight: optional (B,).
    """
    student_tokens, teacher_tokens = as_float32(student_tokens, teacher_tokens)
    difference = student_tokens - ops.stop_gradient(teacher_tokens)
    return mean_of_means(ops.square(difference), sample_weight)


def simulated_heatmaps(keypoints: Tensor, sigmas: Tensor, heatmap_size: Size) -> Tensor:
    """Draw each regressed keypoint as the Gaussian that the student believes in.

    The map is zero where the 3-sigma box of the Gaussian does not touch it.

    Args:
        keypoints: (B, K, 2) in [0, 1] of the crop.
        sigmas: (B, K, 2) standard deviations (x, y) in heatmap pixels, or (B, K, 1)
            for round Gaussians.
        heatmap_size: (H, W).

    Returns:
        (B, K, H, W) float32, at most 1.
    """
    keypoints, sigmas = as_float32(keypoints, sigmas)
    height, width = heatmap_size
    size = ops.convert_to_tensor([width, height], dtype="float32")
    centers = keypoints * size  # (B, K, 2) heatmap pixels
    sigmas = ops.broadcast_to(sigmas, ops.shape(centers))
    columns = _gaussian(width, centers[..., 0], sigmas[..., 0])  # (B, K, W)
    rows = _gaussian(height, centers[..., 1], sigmas[..., 1])  # (B, K, H)
    reach = BOX_SIGMAS * sigmas
    on_map = ops.all((centers - reach < size) & (centers + reach + 1 >= 0), axis=-1)
    on_map = ops.cast(on_map, "float32")[..., None, None]
    return on_map * rows[..., :, None] * columns[..., None, :]


def simulated_heatmap_loss(
    keypoints: Tensor,
    sigmas: Tensor,
    heatmaps: Tensor,
    weights: Tensor,
    *,
    sample_weight: Tensor | None = None,
) -> Tensor:
    """Squared difference of the student's simulated and the teacher's heatmaps.

    Args:
        keypoints: (B, K, 2) student predictions in [0, 1].
        sigmas: (B, K, 2) or (B, K, 1) student predictions in heatmap pixels.
        heatmaps: (B, K, H, W) of the teacher; not differentiated.
        weights: (B, K, 1).
        sample_weight: optional (B,).
    """
    (heatmaps,) = as_float32(heatmaps)
    simulated = simulated_heatmaps(keypoints, sigmas, heatmaps.shape[-2:])
    heatmaps = ops.stop_gradient(heatmaps)
    return heatmap_loss(simulated, heatmaps, weights, sample_weight=sample_weight)


def score_targets(keypoints: Tensor, heatmaps: Tensor) -> Tensor:
    """The teacher's confidence where the student puts each keypoint.

    Args:
        keypoints: (B, K, 2) student predictions in [0, 1].
        heatmaps: (B, K, H, W) of the teacher.

    Returns:
        (B, K, 1) heatmap values at the nearest pixel; 0 for a keypoint outside the
        map. Not differentiated.
    """
    keypoints, heatmaps = as_float32(keypoints, heatmaps)
    height, width = heatmaps.shape[-2:]
    columns = ops.round(keypoints[..., 0] * (width - 1))  # (B, K)
    rows = ops.round(keypoints[..., 1] * (height - 1))
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    # Not clipped: a keypoint that is not a number has to find a pixel too.
    pixel = ops.where(inside, rows * width + columns, 0.0)
    flat = ops.reshape(heatmaps, (-1, heatmaps.shape[1], height * width))
    values = ops.take_along_axis(flat, ops.cast(pixel, "int32")[..., None], axis=-1)
    return ops.stop_gradient(values * ops.cast(inside, "float32")[..., None])


def score_loss(
    scores: Tensor,
    targets: Tensor,
    weights: Tensor,
    *,
    sample_weight: Tensor | None = None,
) -> Tensor:
    """Absolute difference of predicted scores and `score_targets`.

    Args:
        scores: (B, K, 1) student predictions.
        targets: (B, K, 1).
        weights: (B, K, 1).
        sample_weight: optional (B,).
    """
    scores, targets, weights = as_float32(scores, targets, weights)
    return mean_of_means(ops.abs(scores * weights - targets * weights), sample_weight)


def _gaussian(length, centers, sigmas):
    """(..., length) values at pixels 0, 1, ..."""
    distance = ops.arange(length, dtype="float32") - centers[..., None]
    variance = ops.square(sigmas)[..., None] + VARIANCE_EPSILON
    return ops.exp(-0.5 * ops.square(distance) / variance)
