"""Distillation of a heatmap teacher into a regression student."""

import keras

from distilpose_keras.losses import distilpose as losses
from distilpose_keras.training.trainer import PoseTrainer, output_shapes

# Paper, section 4.1.2, and the published configuration.
REGRESSION_WEIGHT = 1.0
TOKEN_WEIGHT = 5e-4
SIMULATED_HEATMAP_WEIGHT = 1.0
SCORE_WEIGHT = 1e-2

# What each term reads, of the student and of the teacher.
STUDENT_OUTPUTS = {
    "regression": ("keypoints",),
    "keypoint_token": ("keypoint_tokens",),
    "visual_token": ("visual_tokens",),
    "simulated_heatmap": ("keypoints", "sigmas"),
    "score": ("keypoints", "scores"),
}
TEACHER_OUTPUTS = {
    "keypoint_token": ("keypoint_tokens",),
    "visual_token": ("visual_tokens",),
    "simulated_heatmap": ("heatmaps",),
    "score": ("heatmaps",),
}


class _Frozen:
    """Holds the teacher where Keras finds no layer to train or to save."""

    def __init__(self, model):
        self.model = model
        self.model.trainable = False


@keras.saving.register_keras_serializable("distilpose_keras")
class Distiller(PoseTrainer):
    """Trains a student on labels and on what a frozen teacher sees (DistilPose).

    Example:
        >>> student = build_model("distilpose_s")
        >>> distiller = Distiller(student, teacher=load_model("teacher.keras"))
        >>> distiller.compile(optimizer=keras.optimizers.Adam(1e-3))
        >>> distiller.fit(PoseDataset(people, batch_size=32), epochs=300)

    The metrics are ``loss`` and the terms that it is the sum of, each with its
    weight. A term with weight 0 is neither computed nor reported; without a teacher,
    or with all its terms off, what remains is plain coordinate regression.

    The teacher is frozen by this class (its ``trainable`` becomes False), runs in
    inference mode and in the precision it was built with. It is no part of the
    distiller's weights: it is not saved and has no optimizer state.

    Attributes:
        student: the model that is trained.
        teacher: the frozen model, or None.
        loss_weights: dict of the active terms to their weights.
    """

    def __init__(
        self,
        student,
        teacher=None,
        *,
        regression_weight=REGRESSION_WEIGHT,
        keypoint_token_weight=TOKEN_WEIGHT,
        visual_token_weight=TOKEN_WEIGHT,
        simulated_heatmap_weight=SIMULATED_HEATMAP_WEIGHT,
        score_weight=SCORE_WEIGHT,
        **kwargs,
    ):
        """Pair a student with a teacher.

        Args:
            student: functional keras.Model with the outputs ``keypoints``, ``scores``,
                ``sigmas`` and, for the token terms, ``keypoint_tokens`` and
                ``visual_tokens``.
            teacher: functional keras.Model with the output ``heatmaps`` and, for the
                token terms, its tokens; None trains the student on labels alone.
            regression_weight: of the distance to the labels.
            keypoint_token_weight: of the distance of keypoint tokens (L_KT).
            visual_token_weight: of the distance of visual tokens (L_VT).
            simulated_heatmap_weight: of the distance of heatmaps (L_SH).
            score_weight: of the error of the predicted confidence (L_CS).
            **kwargs: of keras.Model.

        Raises:
            ValueError: if a model lacks an output that a term needs, if the two do
                not fit together, or if no term is left.
        """
        weights = {
            "regression": regression_weight,
            "keypoint_token": keypoint_token_weight,
            "visual_token": visual_token_weight,
            "simulated_heatmap": simulated_heatmap_weight,
            "score": score_weight,
        }
        active = _active_terms(weights, has_teacher=teacher is not None)
        _check_outputs(student, "student", active, STUDENT_OUTPUTS)
        if teacher is not None:
            _check_outputs(teacher, "teacher", active, TEACHER_OUTPUTS)
            _check_pair(student, teacher, active)
        super().__init__(student, list(active), **kwargs)
        self.loss_weights = active
        self._all_weights = weights
        self._frozen = None if teacher is None else _Frozen(teacher)

    @property
    def student(self):
        """The model that is trained."""
        return self.trained_model

    @property
    def teacher(self):
        """The frozen model, or None."""
        return None if self._frozen is None else self._frozen.model

    def __dir__(self):
        """Leave out the teacher: Keras saves every layer that it finds by `dir`."""
        return [name for name in super().__dir__() if name != "teacher"]

    @property
    def non_trainable_variables(self):
        """State that a step reads but does not train, the teacher's included.

        JAX passes these to the compiled step. Teacher weights that it closes over
        would be compiled into it as constants.
        """
        variables = super().non_trainable_variables
        if not self._needs_teacher:
            return variables
        return [*variables, *self.teacher.variables]

    @property
    def _needs_teacher(self):
        return any(term in TEACHER_OUTPUTS for term in self.loss_weights)

    def loss_terms(self, images, targets, outputs, sample_weight=None):
        """Return the active terms of DistilPose, each multiplied by its weight."""
        seen = self.teach(images)
        return self.weighted_terms(seen, targets, outputs, sample_weight)

    def teach(self, images):
        """Return the outputs of the teacher for normalised images.

        An empty dict where no active term needs it.
        """
        return self.teacher(images, training=False) if self._needs_teacher else {}

    def weighted_terms(self, seen, targets, outputs, sample_weight=None):
        """Return the active terms, given what the teacher sees.

        Args:
            seen: what `teach` returns.
            targets: dict of the batch.
            outputs: of the student.
            sample_weight: optional (B,).
        """
        keypoints, weights = outputs["keypoints"], targets["weights"]
        of_term = {
            "regression": lambda: losses.regression_loss(
                keypoints, targets["keypoints"], weights, sample_weight=sample_weight
            ),
            "keypoint_token": lambda: losses.token_loss(
                outputs["keypoint_tokens"],
                seen["keypoint_tokens"],
                sample_weight=sample_weight,
            ),
            "visual_token": lambda: losses.token_loss(
                outputs["visual_tokens"],
                seen["visual_tokens"],
                sample_weight=sample_weight,
            ),
            "simulated_heatmap": lambda: losses.simulated_heatmap_loss(
                keypoints,
                outputs["sigmas"],
                seen["heatmaps"],
                weights,
                sample_weight=sample_weight,
            ),
            "score": lambda: losses.score_loss(
                outputs["scores"],
                losses.score_targets(keypoints, seen["heatmaps"]),
                weights,
                sample_weight=sample_weight,
            ),
        }
        return {
            term: weight * of_term[term]() for term, weight in self.loss_weights.items()
        }

    def get_config(self):
        """Return what rebuilds the distiller around its student, without a teacher."""
        return {
            "name": self.name,
            "student": keras.saving.serialize_keras_object(self.student),
            **{f"{term}_weight": weight for term, weight in self._all_weights.items()},
        }

    @classmethod
    def from_config(cls, config):
        """Rebuild the distiller; it has no teacher."""
        config = dict(config)
        student = keras.saving.deserialize_keras_object(config.pop("student"))
        return cls(student, **config)


def _active_terms(weights, *, has_teacher):
    """Drop the terms that are switched off or that nobody teaches."""
    negative = sorted(term for term, weight in weights.items() if weight < 0)
    if negative:
        raise ValueError(f"loss weights must not be negative. Received: {negative}")
    active = {
        term: float(weight)
        for term, weight in weights.items()
        if weight and (has_teacher or term not in TEACHER_OUTPUTS)
    }
    if not active:
        raise ValueError(
            "no loss term is left: give a teacher, or a regression_weight above 0. "
            f"Received: teacher={has_teacher}, weights={weights}"
        )
    return active


def _check_outputs(model, role, active, needed_by_term):
    """Raise if the model lacks an output that an active term reads."""
    shapes = output_shapes(model)
    for term in active:
        for name in needed_by_term.get(term, ()):
            if name not in shapes:
                raise ValueError(
                    f"the {role} {model.name!r} must predict {name!r} for the loss "
                    f"term {term!r}; set {term}_weight=0 to train without it. "
                    f"Received outputs: {sorted(shapes)}"
                )


def _check_pair(student, teacher, active):
    """Raise if the outputs of the two models cannot be compared."""
    of_student, of_teacher = output_shapes(student), output_shapes(teacher)
    _check_equal(
        "input size", student.input_shape[1:3], teacher.input_shape[1:3], student
    )
    if "heatmaps" in of_teacher and "keypoints" in of_student:
        _check_equal(
            "number of keypoints",
            of_student["keypoints"][0],
            of_teacher["heatmaps"][0],
            student,
        )
    for term in ("keypoint_token", "visual_token"):
        if term in active:
            name = f"{term}s"
            _check_equal(
                f"shape of {name}", of_student[name], of_teacher[name], student
            )
    config = getattr(student, "pose_config", None)
    if config is not None and "heatmaps" in of_teacher:
        size = of_teacher["heatmaps"][1:]
        _check_equal("heatmap size", tuple(config.heatmap_size), size, student)


def _check_equal(what, of_student, of_teacher, student):
    if of_student != of_teacher:
        raise ValueError(
            f"student and teacher must have the same {what}. "
            f"Received: {of_student} of the student {student.name!r}, "
            f"{of_teacher} of the teacher"
        )
