"""Students that predict heatmaps, under teachers that do."""

import keras
import numpy as np
import pytest

from distilpose_keras.distillation.distiller import Distiller
from distilpose_keras.distillation.terms import TERMS
from distilpose_keras.models.model import PoseModel
from distilpose_keras.models.presets import MODELS
from tests.models.shrunken import shrunken

BY_NAME = {term.name: term for term in TERMS}


@pytest.mark.backend
def test_output_distillation_is_that_of_vitpose(parity):
    reference = parity("families/vitpose/losses")
    student, teacher, weights = (
        keras.ops.convert_to_tensor(reference[f"some_hidden/in_{name}"])
        for name in ("student", "teacher", "weight")
    )
    found = BY_NAME["teacher_heatmap"].loss(
        {"heatmaps": student}, {"heatmaps": teacher}, weights[..., None], None
    )
    expected = float(reference["some_hidden/loss_output_distillation"])
    assert float(found) == pytest.approx(expected, rel=1e-5)


@pytest.mark.backend
def test_teacher_of_stacks_is_that_of_fpd(parity):
    reference = parity("families/fpd/losses")
    student, teacher, weights = (
        keras.ops.convert_to_tensor(reference[f"in_{name}"])
        for name in ("student", "teacher", "weight")
    )
    found = BY_NAME["teacher_stacks"].loss(
        {"stacked_heatmaps": keras.ops.swapaxes(student, 0, 1)},
        {"heatmaps": teacher},
        weights[..., None],
        None,
    )
    assert float(found) == pytest.approx(float(reference["loss_kd"]), rel=1e-5)


def small(name, **overrides):
    return PoseModel(shrunken(MODELS[name]).with_overrides(**overrides))


def batch(model):
    height, width = model.pose_config.input_size
    rng = np.random.default_rng(0)
    return rng.integers(0, 255, (2, height, width, 3), "uint8"), {
        "keypoints": rng.uniform(size=(2, 17, 2)).astype("float32"),
        "weights": np.ones((2, 17, 1), "float32"),
    }


@pytest.mark.backend
@pytest.mark.parametrize(
    "name, term",
    [
        ("vitpose_s", "teacher_heatmap"),
        pytest.param("hourglass_2stack", "teacher_stacks", marks=pytest.mark.slow),
    ],
)
def test_a_student_of_heatmaps_learns_what_it_is_asked_to(name, term):
    student, teacher = small(name), small(name)
    distiller = Distiller(
        student=student, teacher=teacher, loss_weights={"regression": 0.5, term: 0.25}
    )
    distiller.compile(optimizer=keras.optimizers.SGD(0.1), jit_compile=False)
    images, targets = batch(student)
    logs = distiller.evaluate(images, targets, verbose=0, return_dict=True)
    assert set(logs) == {"loss", "heatmap", term}
    assert logs["loss"] == pytest.approx(logs["heatmap"] + logs[term], rel=1e-5)
    assert logs[term] > 0
    teacher.set_weights(student.get_weights())
    equal = distiller.evaluate(images, targets, verbose=0, return_dict=True)
    if term == "teacher_heatmap":
        assert equal[term] == pytest.approx(0, abs=1e-9)
    before = [np.array(w) for w in teacher.get_weights()]
    distiller.train_on_batch(images, targets)
    for a, b in zip(before, teacher.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_student_of_heatmaps_that_is_asked_nothing_is_refused():
    with pytest.raises(ValueError, match="must predict 'keypoints'"):
        Distiller(student=small("vitpose_s"), teacher=small("vitpose_s"))


def test_heatmaps_of_another_size_are_refused():
    teacher = small("simple_baseline_resnet50", deconvolutions=2)
    with pytest.raises(ValueError, match="shape of heatmaps"):
        Distiller(
            student=small("vitpose_s"),
            teacher=teacher,
            loss_weights={"teacher_heatmap": 1.0},
        )
