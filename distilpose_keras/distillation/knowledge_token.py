"""ViTPose's knowledge token: what a teacher knows, in one token for its students.

Xu et al., "ViTPose: Simple Vision Transformer Baselines for Human Pose Estimation"
(NeurIPS 2022), section on the transferability of knowledge. The teacher is frozen and
learns one token more, by the loss on labels; then the token is frozen, and every
student, in training and after, sees it among its own. The published code has none of
it. Two choices are ours: the token has no position and is dropped before the head, and
where the widths of the two differ, a linear map without bias, learned with the student,
fits the token.
"""

from distilpose_keras.models.backbones.vit import KNOWLEDGE, ViT
from distilpose_keras.models.config import PoseConfig
from distilpose_keras.models.model import PoseModel, build_model, find_config


def teacher_with_token(teacher: PoseModel) -> PoseModel:
    """Return a copy of a trained ViTPose that learns a knowledge token alone.

    Train it with `PoseTrainer` on labels, then give it to `student_with_token`.

    Args:
        teacher: a `PoseModel` of the family ViTPose.

    Raises:
        ValueError: if it is of another family, or has such a token already.
    """
    config = teacher.pose_config
    backbone = _transformer(config)
    if backbone.knowledge_dim:
        raise ValueError(f"expected a teacher without a token. Received: {config.name}")
    # Frozen, it leaves out no branch.
    changes = {"knowledge_dim": backbone.dim, "drop_path": 0.0}
    copy = PoseModel(config.with_overrides(backbone=changes), teacher.metadata)
    for layer in copy.layers:
        if layer.name == KNOWLEDGE:
            layer.token.trainable = True
        elif layer.weights:
            layer.set_weights(teacher.get_layer(layer.name).get_weights())
            layer.trainable = False
    return copy


def student_with_token(student: str | PoseConfig, teacher: PoseModel) -> PoseModel:
    """Return a new ViTPose that sees a teacher's knowledge token, which stays as it is.

    Args:
        student: name of a named model, or a configuration, of the family ViTPose.
        teacher: what `teacher_with_token` returned, trained.

    Raises:
        ValueError: if one of them is of another family, or the teacher has no token.
    """
    width = _transformer(teacher.pose_config).knowledge_dim
    if not width:
        raise ValueError(
            "expected a teacher with a knowledge token (teacher_with_token). "
            f"Received: {teacher.pose_config.name}"
        )
    config = find_config(student)
    _transformer(config)
    model = build_model(
        config, schema=teacher.pose_config.schema, backbone={"knowledge_dim": width}
    )
    model.get_layer(KNOWLEDGE).token.assign(teacher.get_layer(KNOWLEDGE).token)
    return model


def _transformer(config):
    """The backbone of a configuration, if it is one that takes the token."""
    backbone = getattr(config, "backbone", None)
    if not isinstance(backbone, ViT):
        raise ValueError(f"expected a ViTPose. Received: {config.name}")
    return backbone
