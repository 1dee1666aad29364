"""One of two processes that train together: ``python one_of_two_processes.py RUN_DIR``.

The environment says which one (see `strategy_scope`). Prints JSON: the final losses,
a digest of the weights, and whether this process wrote the files.
"""

import hashlib
import json
import sys
from pathlib import Path

import keras
import numpy as np
import tiny_pose

from distilpose_keras.distillation.distiller import Distiller
from distilpose_keras.training.loop import train
from distilpose_keras.training.optimizers import make_optimizer
from distilpose_keras.training.replicas import is_chief, replica_count
from distilpose_keras.training.strategies import strategy_scope

SAMPLES, BATCH, EPOCHS = 13, 4, 3


def main(run_dir, strategy="multi_worker"):
    with strategy_scope(strategy):
        student = tiny_pose.fill(tiny_pose.student(), 1)
        distiller = Distiller(
            student=student, teacher=tiny_pose.fill(tiny_pose.teacher(), 2)
        )
        distiller.compile(optimizer=make_optimizer(1e-2, clip_norm=1.0))
        history = train(
            distiller,
            tiny_pose.Dataset(SAMPLES, BATCH),
            epochs=EPOCHS,
            run_dir=run_dir,
            checkpoint_steps=2,
            monitor="loss",
            verbose=0,
        )
        weights = [keras.ops.convert_to_numpy(v) for v in distiller.weights]
        chief = is_chief(distiller)
        replicas = replica_count(distiller)
        if chief:
            arrays = {str(i): array for i, array in enumerate(weights)}
            np.savez(Path(run_dir) / "final.npz", **arrays)
    loss = None
    if chief:  # evaluate on one, outside the strategy
        student = keras.saving.load_model(Path(run_dir) / "best.keras")
        alone = Distiller(student=student)
        alone.compile()
        loss = float(alone.evaluate(tiny_pose.Dataset(SAMPLES, BATCH), verbose=0)[0])
    digest = hashlib.sha256(b"".join(w.tobytes() for w in weights)).hexdigest()
    result = {"history": history, "weights": digest, "chief": chief, "loss": loss}
    print(json.dumps({**result, "replicas": replicas}))


if __name__ == "__main__":
    main(*sys.argv[1:])
