"""Parts of a step compute what the step does."""

import keras
import numpy as np
import pytest
import tiny_pose

from distilpose_keras.benchmarks.step_parts import (
    FORWARD,
    GRADIENTS,
    TEACHER,
    UPDATE,
    matrix_product,
    step_parts,
)
from distilpose_keras.distillation.distiller import Distiller

LEARNING_RATE = 0.5


def compiled(teacher=True):
    student = tiny_pose.fill(tiny_pose.student(), 1)
    teacher = tiny_pose.fill(tiny_pose.teacher(), 2) if teacher else None
    # Score targets are read at the nearest pixel: they have no smooth loss.
    distiller = Distiller(student=student, teacher=teacher, loss_weights={"score": 0.0})
    distiller.compile(keras.optimizers.SGD(LEARNING_RATE), jit_compile=False)
    distiller.optimizer.build(distiller.trainable_variables)
    return distiller


def arrays(variables):
    return [np.array(keras.ops.convert_to_numpy(v)) for v in variables]


@pytest.fixture(scope="module")
def batch():
    return tiny_pose.batch(4)


def test_an_update_takes_a_step_down_the_gradient_of_the_loss(batch):
    distiller = compiled()
    images, targets = batch
    before = arrays(distiller.trainable_variables)
    step_parts(distiller, batch)[UPDATE]()
    after = arrays(distiller.trainable_variables)
    gradient = [
        (old - new).astype("float64") / LEARNING_RATE
        for old, new in zip(before, after, strict=True)
    ]
    seen = distiller.teach(distiller.prepare_images(images))

    def loss(step):
        for v, value, slope in zip(
            distiller.trainable_variables, before, gradient, strict=True
        ):
            v.assign(value + step * slope)
        outputs = distiller(images, training=True)
        return float(sum(distiller.weighted_terms(seen, targets, outputs).values()))

    # Along its gradient a function rises by the squared length.
    squared = sum((g**2).sum() for g in gradient)
    step = 3e-3 / np.sqrt(squared)
    slope = (loss(step) - loss(-step)) / (2 * step)
    assert slope == pytest.approx(squared, rel=1e-2)


def test_only_the_update_changes_weights_and_only_the_student_is_in_training(batch):
    distiller = compiled()
    parts = step_parts(distiller, batch)

    def state(model, part):
        before = arrays(model.variables)
        parts[part]()
        return [
            v.path.split("/")[-1]
            for v, old in zip(model.variables, before, strict=True)
            if np.any(np.array(v) != old)
        ]

    averages = ["moving_mean", "moving_variance"]
    assert state(distiller.teacher, TEACHER) == []
    assert state(distiller.model, TEACHER) == []
    assert state(distiller.model, FORWARD) == averages
    assert state(distiller.model, GRADIENTS) == averages
    assert set(state(distiller.model, UPDATE)).isdisjoint(averages)


def test_a_student_alone_has_no_teacher_to_run(batch):
    parts = step_parts(compiled(teacher=False), batch)
    assert set(parts) == {FORWARD, GRADIENTS, UPDATE}


def test_a_matrix_product_counts_its_operations():
    multiply, operations = matrix_product(3, "float32")
    multiply()
    assert operations == 54  # 9 values, each of 3 products and 3 sums
