"""A whole training of the tiny pair, for processes that tests start."""

from pathlib import Path

import numpy as np
import tiny_pose

from distilpose_keras.distillation.distiller import Distiller
from distilpose_keras.training.loop import train
from distilpose_keras.training.optimizers import make_optimizer
from distilpose_keras.training.schedules import warmup_cosine

SAMPLES, BATCH = 22, 4


def run(run_dir, *, epochs=4, checkpoint_steps=2, callbacks=()):
    """Train on from whatever is in ``run_dir``; leave the weights in ``final.npz``."""
    student = tiny_pose.fill(tiny_pose.student(), 1)
    teacher = tiny_pose.fill(tiny_pose.teacher(), 2)
    distiller = Distiller(student=student, teacher=teacher)
    steps = epochs * -(-SAMPLES // BATCH)
    rate = warmup_cosine(1e-2, steps, warmup_steps=3)
    distiller.compile(optimizer=make_optimizer(rate, clip_norm=1.0, ema_momentum=0.9))
    history = train(
        distiller,
        tiny_pose.Dataset(SAMPLES, BATCH),
        epochs=epochs,
        run_dir=run_dir,
        resume=True,
        checkpoint_steps=checkpoint_steps,
        callbacks=callbacks,
        monitor="loss",
        verbose=0,
    )
    weights = {str(i): w for i, w in enumerate(distiller.get_weights())}
    np.savez(Path(run_dir) / "final.npz", **weights)
    return history
