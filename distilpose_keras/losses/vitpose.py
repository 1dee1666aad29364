"""The distillation of ViTPose by the teacher's output.

Xu et al., "ViTPose: Simple Vision Transformer Baselines for Human Pose Estimation"
(NeurIPS 2022), section on the transferability of knowledge; the knowledge token of the
same section is in `distilpose_keras.distillation.knowledge_token`. The published code
has none of it. One choice is ours: the teacher's heatmaps are masked as the labels are.

Legend: B samples, K keypoints, (H, W) heatmap pixels.
"""

from keras import ops

from distilpose_keras.losses.distilpose import heatmap_loss


def vitpose_terms(heatmaps, teacher_heatmaps, targets, weights, *, sample_weight=None):
    """Return the loss on labels and that on the teacher, each with the weight 1.

    Args:
        heatmaps: (B, K, H, W) of the student.
        teacher_heatmaps: (B, K, H, W) of the same crops; not differentiated.
        targets: (B, K, H, W) Gaussians around the labels.
        weights: (B, K, 1) 1 for a labelled keypoint, 0 otherwise.
        sample_weight: optional (B,).

    Returns:
        dict of ``heatmap`` and ``output_distillation``, scalars.
    """
    teacher_heatmaps = ops.stop_gradient(ops.convert_to_tensor(teacher_heatmaps))
    return {
        "heatmap": heatmap_loss(
            heatmaps, targets, weights, sample_weight=sample_weight
        ),
        "output_distillation": heatmap_loss(
            heatmaps, teacher_heatmaps, weights, sample_weight=sample_weight
        ),
    }
