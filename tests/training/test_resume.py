"""Checkpoints: whole or absent, named when damaged, the same on every backend."""

import json
import warnings

import keras
import numpy as np
import pytest
import tiny_pose

from distilpose_keras.distillation.distiller import Distiller
from distilpose_keras.training.optimizers import make_optimizer
from distilpose_keras.training.resume import (
    Position,
    checkpoint_files,
    restore_checkpoint,
    save_checkpoint,
)


def trained(steps=2, seed=1):
    distiller = Distiller(student=tiny_pose.fill(tiny_pose.student(), seed))
    distiller.compile(optimizer=make_optimizer(1e-2, ema_momentum=0.5))
    distiller.optimizer.build(distiller.trainable_variables)
    for step in range(steps):
        distiller.train_on_batch(*tiny_pose.batch(4, seed=step))
    return distiller


def state(trainer):
    variables = trainer.variables + trainer.optimizer.variables
    return [np.array(keras.ops.convert_to_numpy(v)) for v in variables]


def assert_same(a, b):
    for one, other in zip(a, b, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.backend
def test_a_restored_training_has_the_same_state_and_goes_on_the_same(tmp_path):
    first = trained()
    position = Position(1, 2, 8, 6, {"BestModel": {"best": 0.5}})
    save_checkpoint(tmp_path, first, position)
    second = trained(steps=0, seed=7)
    assert restore_checkpoint(tmp_path, second) == position
    assert_same(state(first), state(second))
    for trainer in (first, second):
        trainer.train_on_batch(*tiny_pose.batch(4, seed=9))
    assert_same(state(first), state(second))


def test_two_checkpoints_are_kept(tmp_path):
    trainer = trained(steps=0)
    for step in (5, 10, 15):
        save_checkpoint(tmp_path, trainer, Position(step=step))
    names = [path.name for path in checkpoint_files(tmp_path)]
    assert names == ["step-00000015.npz", "step-00000010.npz"]
    assert len(list(tmp_path.iterdir())) == 4


def damage_by_truncation(path):
    path.write_bytes(path.read_bytes()[:-100])


def damage_by_a_flipped_bit(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def damage_by_removal(path):
    path.unlink()


def damage_of_the_record(path):
    path.with_suffix(".json").write_text('{"format": 1, "sha')


@pytest.mark.parametrize(
    "damage",
    [
        damage_by_truncation,
        damage_by_a_flipped_bit,
        damage_by_removal,
        damage_of_the_record,
    ],
)
def test_a_damaged_checkpoint_is_named_and_the_previous_one_used(tmp_path, damage):
    trainer = trained(steps=1)
    save_checkpoint(tmp_path, trainer, Position(step=1))
    good = state(trainer)
    trainer.train_on_batch(*tiny_pose.batch(4))
    newest = save_checkpoint(tmp_path, trainer, Position(step=2))
    damage(newest)
    other = trained(steps=0)
    with pytest.warns(UserWarning, match=newest.name):
        assert restore_checkpoint(tmp_path, other).step == 1
    assert_same(state(other), good)


def test_nothing_but_damaged_checkpoints_is_an_error(tmp_path):
    path = save_checkpoint(tmp_path, trained(steps=0), Position(step=1))
    damage_by_truncation(path)
    with warnings.catch_warnings(), pytest.raises(ValueError, match="every checkpoint"):
        warnings.simplefilter("ignore")
        restore_checkpoint(tmp_path, trained(steps=0))


def test_an_empty_folder_has_no_checkpoint(tmp_path):
    assert restore_checkpoint(tmp_path, trained(steps=0)) is None


def test_a_checkpoint_without_its_record_does_not_exist(tmp_path):
    path = save_checkpoint(tmp_path, trained(steps=0), Position(step=1))
    path.with_suffix(".json").unlink()
    assert restore_checkpoint(tmp_path, trained(steps=0)) is None


def test_a_checkpoint_of_another_model_is_refused_and_changes_nothing(tmp_path):
    save_checkpoint(tmp_path, trained(steps=0), Position(step=1))
    other = Distiller(student=tiny_pose.student(keypoints=4))
    other.compile(optimizer=make_optimizer(1e-2, ema_momentum=0.5))
    other.optimizer.build(other.trainable_variables)
    before = state(other)
    with pytest.raises(ValueError, match="student_queries/kernel must have shape"):
        restore_checkpoint(tmp_path, other)
    assert_same(state(other), before)


def test_a_checkpoint_of_another_optimizer_is_refused(tmp_path):
    save_checkpoint(tmp_path, trained(steps=0), Position(step=1))
    other = Distiller(student=tiny_pose.student())
    other.compile(optimizer=make_optimizer(1e-2))
    other.optimizer.build(other.trainable_variables)
    with pytest.raises(ValueError, match="must hold .* variables"):
        restore_checkpoint(tmp_path, other)


def test_a_checkpoint_of_a_later_format_is_refused(tmp_path):
    path = save_checkpoint(tmp_path, trained(steps=0), Position(step=1))
    record = path.with_suffix(".json")
    record.write_text(json.dumps({**json.loads(record.read_text()), "format": 2}))
    with pytest.raises(ValueError, match="format 1. Received: 2"):
        restore_checkpoint(tmp_path, trained(steps=0))
