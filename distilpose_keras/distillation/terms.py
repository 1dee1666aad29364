"""What a student can learn from a teacher: one row of a table for each term."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from keras import ops

from distilpose_keras.losses.distilpose import (
    score_loss,
    score_targets,
    simulated_heatmap_loss,
    token_loss,
)
from distilpose_keras.losses.heatmaps import heatmap_loss
from distilpose_keras.losses.hourglass import stacked_heatmap_loss

# Weights: paper, section 4.1.2, and the published configuration.
REGRESSION_WEIGHT = 1.0
TOKEN_WEIGHT = 5e-4
SIMULATED_HEATMAP_WEIGHT = 1.0
SCORE_WEIGHT = 1e-2


@dataclass(frozen=True)
class Term:
    """A term of the loss of a distillation.

    Attributes:
        name: of the metric, and of the weight in ``loss_weights``.
        weight: by default.
        student: names of the student's outputs that it reads.
        teacher: names of the teacher's.
        loss: function of the student's outputs, the teacher's, keypoint weights
            (B, K, 1) and an optional sample weight (B,), to a float32 scalar.
        same_shape: whether the outputs of the two are compared element by element,
            those of the teacher with each stack of a student's.
    """

    name: str
    weight: float
    student: tuple[str, ...]
    teacher: tuple[str, ...]
    loss: Callable[[dict, dict, Any, Any], Any]
    same_shape: bool = False


def _tokens(name):
    """The distance of tokens, ``keypoint_tokens`` or ``visual_tokens``."""

    def loss(student, teacher, weights, sample_weight):
        return token_loss(student[name], teacher[name], sample_weight=sample_weight)

    return loss


def _simulated_heatmaps(student, teacher, weights, sample_weight):
    """The distance of the teacher's maps to those that the student stands for."""
    return simulated_heatmap_loss(
        student["keypoints"],
        student["sigmas"],
        teacher["heatmaps"],
        weights,
        sample_weight=sample_weight,
    )


def _heatmaps(student, teacher, weights, sample_weight):
    """The distance of two models' heatmaps, of labelled keypoints."""
    return heatmap_loss(
        student["heatmaps"],
        ops.stop_gradient(teacher["heatmaps"]),
        weights,
        sample_weight=sample_weight,
    )


def _stacked_heatmaps(student, teacher, weights, sample_weight):
    """The distance of the teacher's heatmaps to those of each stack."""
    return stacked_heatmap_loss(
        student["stacked_heatmaps"],
        ops.stop_gradient(teacher["heatmaps"]),
        weights,
        sample_weight=sample_weight,
    )


def _scores(student, teacher, weights, sample_weight):
    """The error of the confidence, which is the teacher's at the student's points."""
    return score_loss(
        student["scores"],
        score_targets(student["keypoints"], teacher["heatmaps"]),
        weights,
        sample_weight=sample_weight,
    )


TERMS = (
    Term(
        "keypoint_token",  # L_KT, equation 3
        TOKEN_WEIGHT,
        student=("keypoint_tokens",),
        teacher=("keypoint_tokens",),
        loss=_tokens("keypoint_tokens"),
        same_shape=True,
    ),
    Term(
        "visual_token",  # L_VT, equation 4
        TOKEN_WEIGHT,
        student=("visual_tokens",),
        teacher=("visual_tokens",),
        loss=_tokens("visual_tokens"),
        same_shape=True,
    ),
    Term(
        "simulated_heatmap",  # L_SH
        SIMULATED_HEATMAP_WEIGHT,
        student=("keypoints", "sigmas"),
        teacher=("heatmaps",),
        loss=_simulated_heatmaps,
    ),
    Term(
        "score",  # L_CS
        SCORE_WEIGHT,
        student=("keypoints", "scores"),
        teacher=("heatmaps",),
        loss=_scores,
    ),
    # Of students that predict heatmaps themselves, when they are asked for.
    Term(
        "teacher_heatmap",  # L_od of ViTPose (Xu et al., NeurIPS 2022), with weight 1
        0.0,
        student=("heatmaps",),
        teacher=("heatmaps",),
        loss=_heatmaps,
        same_shape=True,
    ),
    Term(
        "teacher_stacks",  # FPD (Zhang et al., CVPR 2019): 0.5, as the labels' weight
        0.0,
        student=("stacked_heatmaps",),
        teacher=("heatmaps",),
        loss=_stacked_heatmaps,
        same_shape=True,
    ),
)
