"""Which student goes with which teacher."""

import warnings
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from distilpose_keras.geometry import PLAIN
from distilpose_keras.training.trainer import output_shapes

if TYPE_CHECKING:
    import keras

    from distilpose_keras.distillation.terms import Term


def check_pair(
    student: "keras.Model", teacher: "keras.Model | None", terms: "Sequence[Term]"
) -> None:
    """Raise a ValueError unless two models go together.

    Args:
        student: functional `keras.Model` with named outputs.
        teacher: another, or None.
        terms: the `Term`s that are active.
    """
    of_student = shapes_shown(student)
    _check_outputs(student, of_student, "student", terms)
    if teacher is None:
        return
    _warn_of_crops(student, teacher)
    of_teacher = shapes_shown(teacher)
    _check_outputs(teacher, of_teacher, "teacher", terms)
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
    for term in terms:
        if term.same_shape:
            (ours,), (theirs,) = term.student, term.teacher
            target = of_teacher[theirs]
            _check_equal(
                f"shape of {ours}", of_student[ours][-len(target) :], target, student
            )


def without_unmatched(
    student: "keras.Model",
    teacher: "keras.Model",
    terms: "Sequence[Term]",
    *,
    given: Iterable[str],
) -> "list[Term]":
    """Leave out terms that compare outputs which the two models do not share.

    A student that predicts no keypoints learns by the terms that were asked for alone.

    Args:
        student: functional `keras.Model` with named outputs.
        teacher: another.
        terms: `Term`s.
        given: names of the terms that were asked for and stay.

    Returns:
        The terms that are left; a warning names the others.
    """
    of_student, of_teacher = shapes_shown(student), shapes_shown(teacher)
    asked = [term for term in terms if term.name in given]
    if asked and "keypoints" not in of_student:
        return asked

    def unmatched(term):
        if not term.same_shape or term.name in given:
            return False
        (ours,), (theirs,) = term.student, term.teacher
        return of_student.get(ours) is None or of_student[ours] != of_teacher.get(
            theirs
        )

    names = [term.name for term in terms if unmatched(term)]
    if names:
        warnings.warn(
            f"{student.name!r} and {teacher.name!r} have no tokens to match: "
            f"without the terms {', '.join(names)}",
            stacklevel=3,
        )
    return [term for term in terms if term.name not in names]


def shapes_shown(model: "keras.Model") -> dict[str, tuple[int, ...]]:
    """Return {name: shape without the batch} of what the terms can read of a model."""
    shapes = output_shapes(model)
    config = getattr(model, "pose_config", None)
    if config is None:
        return shapes
    seen = config.shown(model.output)
    return {name: tuple(tensor.shape[1:]) for name, tensor in seen.items()}


def _warn_of_crops(student, teacher):
    """Say where two models want their crops cut otherwise: batches have one way."""
    ways = [
        getattr(getattr(model, "pose_config", None), "geometry", PLAIN)
        for model in (student, teacher)
    ]
    if ways[0] != ways[1]:
        warnings.warn(
            f"{student.name!r} is made for {ways[0].name} crops, its teacher "
            f"{teacher.name!r} for {ways[1].name} ones: what the teacher sees lies up "
            "to half a heatmap pixel off",
            stacklevel=4,
        )


def _check_outputs(model, shapes, role, terms):
    """Raise if a model lacks an output that an active term reads."""
    for term in terms:
        for name in term.student if role == "student" else term.teacher:
            if name not in shapes:
                raise ValueError(
                    f"the {role} {model.name!r} must predict {name!r} for the loss "
                    f"term {term.name!r}; a weight of 0 trains without it. "
                    f"Received outputs: {sorted(shapes)}"
                )


def _check_equal(what, of_student, of_teacher, student):
    if of_student != of_teacher:
        raise ValueError(
            f"student and teacher must have the same {what}. "
            f"Received: {of_student} of the student {student.name!r}, "
            f"{of_teacher} of the teacher"
        )
