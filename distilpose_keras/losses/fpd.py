"""The losses of FPD: a teacher's heatmaps beside those of the labels.

Zhang et al., "Fast Human Pose Estimation" (CVPR 2019).

Legend: B samples, S stacks of the student (1 for a network without), K keypoints,
(H, W) heatmap pixels.
"""

from keras import ops

from distilpose_keras.losses.hourglass import stacked_heatmap_loss

ALPHA = 0.5  # published configuration: the teacher's share


def fpd_terms(
    stacks, teacher_heatmaps, targets, weights, *, alpha=ALPHA, sample_weight=None
):
    """Return both terms, weighted; their sum is the loss.

    The teacher is masked as the labels are: it does not teach a keypoint that is not
    labelled. For unlabelled images, ``alpha=1`` and weights of 1.

    Args:
        stacks: (B, S, K, H, W) heatmaps of the student.
        teacher_heatmaps: (B, K, H, W) of the teacher's last stack; not differentiated.
        targets: (B, K, H, W) Gaussians around the labels.
        weights: (B, K, 1) 1 for a labelled keypoint, 0 otherwise.
        alpha: share of the teacher, in [0, 1].
        sample_weight: optional (B,).

    Returns:
        dict of ``heatmap`` and ``distillation``, scalars.
    """
    heatmap = stacked_heatmap_loss(
        stacks, targets, weights, sample_weight=sample_weight
    )
    distillation = stacked_heatmap_loss(
        stacks,
        ops.stop_gradient(ops.convert_to_tensor(teacher_heatmaps)),
        weights,
        sample_weight=sample_weight,
    )
    return {"heatmap": (1 - alpha) * heatmap, "distillation": alpha * distillation}
