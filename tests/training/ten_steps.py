"""Trains ten steps, and goes on from checkpoints of other backends.

``python ten_steps.py OWN [OTHER...]``: writes a checkpoint to the folder OWN, prints
JSON {"losses": of the ten steps, "next": {folder: loss of an eleventh step}}.
"""

import json
import sys

import tiny_pose

from distilpose_keras.distillation.distiller import Distiller
from distilpose_keras.training.optimizers import make_optimizer
from distilpose_keras.training.resume import (
    Position,
    restore_checkpoint,
    save_checkpoint,
)
from distilpose_keras.training.schedules import warmup_cosine


def build(seed):
    student = tiny_pose.fill(tiny_pose.student(), seed)
    distiller = Distiller(
        student=student, teacher=tiny_pose.fill(tiny_pose.teacher(), 2)
    )
    rate = warmup_cosine(1e-2, 20, warmup_steps=3)
    optimizer = make_optimizer(rate, clip_norm=1.0, ema_momentum=0.9)
    distiller.compile(optimizer=optimizer)
    optimizer.build(distiller.trainable_variables)
    return distiller


def step(distiller, index):
    images, targets = tiny_pose.batch(4, seed=index)
    return float(distiller.train_on_batch(images, targets)[0])


def main(own, *others):
    distiller = build(seed=1)
    losses = [step(distiller, index) for index in range(10)]
    save_checkpoint(own, distiller, Position(step=10))
    after = {}
    for folder in (own, *others):
        read = build(seed=5)
        restore_checkpoint(folder, read)
        after[folder] = step(read, 10)
    print(json.dumps({"losses": losses, "next": after}))


if __name__ == "__main__":
    main(*sys.argv[1:])
