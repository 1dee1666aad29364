"""The distillation of ViTPose: by the teacher's output and by a knowledge token.

Xu et al., "ViTPose: Simple Vision Transformer Baselines for Human Pose Estimation"
(NeurIPS 2022), section on the transferability of knowledge. The published code has
none of it. Two choices are ours: the teacher's heatmaps are masked as the labels are,
and the knowledge token has no position and is dropped before the head.

Legend: B samples, K keypoints, (H, W) heatmap pixels, P visual tokens, D their width.
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


def with_knowledge_token(visual_tokens, knowledge_token):
    """Append the token that carries knowledge from teacher to student.

    The teacher is frozen and its token learned by the loss on labels; then the token
    is frozen, and every student, in training and after, sees it among its own tokens.

    Args:
        visual_tokens: (B, P, D) patches with their positions, before the first block.
        knowledge_token: (1, 1, D).

    Returns:
        (B, P + 1, D); the last is dropped before the head.
    """
    batch, _, dim = ops.shape(visual_tokens)
    token = ops.broadcast_to(
        ops.cast(knowledge_token, visual_tokens.dtype), (batch, 1, dim)
    )
    return ops.concatenate([visual_tokens, token], axis=1)
