"""Distillation of a teacher into a student that regresses keypoints."""

from collections.abc import Mapping
from typing import Any

import keras

from distilpose_keras.distillation.pairs import check_pair, without_unmatched
from distilpose_keras.distillation.terms import REGRESSION_WEIGHT, TERMS
from distilpose_keras.pixels import IMAGE_MEAN, IMAGE_STD, renormalize_images
from distilpose_keras.training.trainer import (
    PoseTrainer,
    label_loss_of,
    scores_need_teacher,
)
from distilpose_keras.types import Tensor

LABELS = "regression"  # name of the weight of what the student learns from labels


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
        >>> distiller = Distiller(student=student, teacher=load_model("teacher.keras"))
        >>> distiller.compile(optimizer=keras.optimizers.Adam(1e-3))
        >>> distiller.fit(PoseDataset(people, batch_size=32), epochs=300)

    The metrics are ``loss`` and the terms that it is the sum of, each with its
    weight. A term with weight 0 is neither computed nor reported; without a teacher,
    or with all its terms off, what remains is the student's own loss on labels. Token
    terms that were not asked for are left out, with a warning, where the two models
    have no tokens to match: any student of coordinates goes with any teacher of
    heatmaps.

    The teacher is frozen by this class (its ``trainable`` becomes False), runs in
    inference mode and in the precision it was built with. It is no part of the
    distiller's weights: it is not saved and has no optimizer state.

    Attributes:
        model: the student, which is trained.
        teacher: the frozen model, or None.
        loss_weights: dict of the active terms to their weights.
    """

    def __init__(
        self,
        *,
        student: keras.Model,
        teacher: keras.Model | None = None,
        loss_weights: Mapping[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        """Pair a student with a teacher.

        Args:
            student: functional keras.Model with the outputs ``keypoints``, ``scores``,
                ``sigmas`` and, for the token terms, ``keypoint_tokens`` and
                ``visual_tokens``.
            teacher: functional keras.Model with the output ``heatmaps`` and, for the
                token terms, its tokens; None trains the student on labels alone.
            loss_weights: dict of other weights than the paper's: of ``regression``,
                what the student learns from labels, and of the terms in
                `distilpose_keras.distillation.terms.TERMS` (``keypoint_token``,
                ``visual_token``, ``simulated_heatmap``, ``score``, and for students
                that predict heatmaps ``teacher_heatmap``, ``teacher_stacks``).
            **kwargs: of keras.Model.

        Raises:
            ValueError: if a model lacks an output that a term needs, if the two do
                not fit together, or if no term is left.
        """
        weights = _with_defaults(loss_weights or {})
        terms = [t for t in TERMS if teacher is not None and weights[t.name]]
        if teacher is not None:
            terms = without_unmatched(student, teacher, terms, given=loss_weights or {})
        check_pair(student, teacher, terms)
        label_loss = label_loss_of(student)
        names = [
            *(label_loss.terms if weights[LABELS] else ()),
            *(t.name for t in terms),
        ]
        if not names:
            raise ValueError(
                "no loss term is left: give a teacher, or a weight of 'regression' "
                f"above 0. Received: teacher={teacher is not None}, "
                f"loss_weights={loss_weights}"
            )
        super().__init__(student, label_loss, term_names=names, **kwargs)
        self.loss_weights = {
            name: weights[name]
            for name in (LABELS, *(term.name for term in terms))
            if weights[name]
        }
        self._weights = weights
        self._terms = terms
        self._frozen = None if teacher is None else _Frozen(teacher)
        if scores_need_teacher(student):
            student.metadata["confidence"] = "score" in names

    @property
    def teacher(self) -> Any:
        """The frozen model, or None."""
        return None if self._frozen is None else self._frozen.model

    def __dir__(self):
        """Leave out the teacher: Keras saves every layer that it finds by `dir`."""
        return [name for name in super().__dir__() if name != "teacher"]

    @property
    def non_trainable_variables(self) -> list[Any]:
        """State that a step reads but does not train, the teacher's included.

        JAX passes these to the compiled step. Teacher weights that it closes over
        would be compiled into it as constants.
        """
        variables = super().non_trainable_variables
        if not self._terms:
            return variables
        return [*variables, *self.teacher.variables]

    def loss_terms(
        self,
        images: Tensor,
        targets: dict[str, Tensor],
        outputs: dict[str, Tensor],
        sample_weight: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Return the active terms of DistilPose, each multiplied by its weight."""
        seen = self.teach(images)
        return self.weighted_terms(seen, targets, outputs, sample_weight)

    def teach(self, images: Tensor) -> dict[str, Tensor]:
        """Return what the teacher shows of images normalised for the student.

        An empty dict where no active term needs it.
        """
        if not self._terms:
            return {}
        images = renormalize_images(
            images, _normalisation(self.model), _normalisation(self.teacher)
        )
        return shown(self.teacher, self.teacher(images, training=False))

    def weighted_terms(
        self,
        seen: dict[str, Tensor],
        targets: dict[str, Tensor],
        outputs: dict[str, Tensor],
        sample_weight: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Return the active terms, given what the teacher sees.

        Args:
            seen: what `teach` returns.
            targets: dict of the batch.
            outputs: of the student.
            sample_weight: optional (B,).
        """
        found = {}
        if LABELS in self.loss_weights:
            labels = self.label_loss(outputs, targets, sample_weight)
            found = {k: self.loss_weights[LABELS] * v for k, v in labels.items()}
        student = shown(self.model, outputs)
        for term in self._terms:
            value = term.loss(student, seen, targets["weights"], sample_weight)
            found[term.name] = self.loss_weights[term.name] * value
        return found

    def get_config(self) -> dict[str, Any]:
        """Return what rebuilds the distiller around its student, without a teacher."""
        return {
            "name": self.name,
            "student": keras.saving.serialize_keras_object(self.model),
            "loss_weights": dict(self._weights),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Distiller":
        """Rebuild the distiller; it has no teacher."""
        config = dict(config)
        student = keras.saving.deserialize_keras_object(config.pop("student"))
        known = dict(getattr(student, "metadata", {}))
        distiller = cls(student=student, **config)
        if known:  # a teacher that is not here may have taught the scores
            student.metadata.update(known)
        return distiller


def shown(model: keras.Model, outputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return a model's outputs as the terms read them; see `PoseConfig.shown`."""
    config = getattr(model, "pose_config", None)
    return outputs if config is None else config.shown(outputs)


def _normalisation(model):
    """How a model's images are normalised: see `renormalize_images`."""
    config = getattr(model, "pose_config", None)
    if config is None:
        return IMAGE_MEAN, IMAGE_STD, False
    return config.image_mean, config.image_std, config.bgr


def _with_defaults(loss_weights):
    """All weights, the given ones and the paper's."""
    defaults = {LABELS: REGRESSION_WEIGHT, **{t.name: t.weight for t in TERMS}}
    unknown = sorted(set(loss_weights) - set(defaults))
    if unknown:
        raise ValueError(
            f"no loss term is called {unknown}; known: {', '.join(defaults)}"
        )
    negative = sorted(term for term, weight in loss_weights.items() if weight < 0)
    if negative:
        raise ValueError(f"loss weights must not be negative. Received: {negative}")
    return {name: float(loss_weights.get(name, w)) for name, w in defaults.items()}
