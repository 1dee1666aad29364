"""One of two processes that train together: ``python one_of_two_processes.py ...``.

The environment says which one (see `strategy_scope`). With ``--kill-at N`` it is sent
SIGKILL after N steps. Prints JSON: the final losses, a digest of the weights, whether
this process wrote the files, and how many crops and pictures it made.
"""

import argparse
import hashlib
import json
import os
import signal
from collections import Counter
from pathlib import Path

import keras
import numpy as np
import tiny_pose

from distilpose_keras.data import samples
from distilpose_keras.data.coco import coco_paths, load_people
from distilpose_keras.data.dataset import PoseDataset
from distilpose_keras.distillation.distiller import Distiller
from distilpose_keras.training.loop import train
from distilpose_keras.training.optimizers import make_optimizer
from distilpose_keras.training.replicas import is_chief, replica_count
from distilpose_keras.training.strategies import strategy_scope

PEOPLE, BATCH, EPOCHS = 13, 4, 3
SIZE = (tiny_pose.HEIGHT, tiny_pose.WIDTH)
MADE = Counter()


class Kill(keras.callbacks.Callback):
    """Ends the process, as a power cut does, after some steps."""

    def __init__(self, steps):
        super().__init__()
        self.left = steps

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def count_work():
    """Count in `MADE` the crops and the decoded pictures."""
    load_one, read = samples.SampleLoader._load_one, samples.read_reduced_image

    def counted_crop(*args):
        MADE["crops"] += 1
        return load_one(*args)

    def counted_read(*args):
        MADE["pictures"] += 1
        return read(*args)

    samples.SampleLoader._load_one = counted_crop
    samples.read_reduced_image = counted_read


def dataset(folder):
    people = load_people(*coco_paths(folder, "train")).limit(PEOPLE)
    return PoseDataset(people, batch_size=BATCH, input_size=SIZE, image_dtype="uint8")


def main(arguments):
    count_work()
    with strategy_scope(arguments.strategy):
        tiny = {"keypoints": 17, "size": SIZE}
        student = tiny_pose.fill(tiny_pose.student(**tiny), 1)
        teacher = tiny_pose.fill(tiny_pose.teacher(**tiny), 2)
        distiller = Distiller(student=student, teacher=teacher)
        distiller.compile(optimizer=make_optimizer(1e-2, clip_norm=1.0))
        kill = [Kill(arguments.kill_at)] if arguments.kill_at else []
        history = train(
            distiller,
            dataset(arguments.data),
            epochs=EPOCHS,
            run_dir=arguments.run_dir,
            resume=True,
            callbacks=kill,
            checkpoint_steps=2,
            monitor="loss",
            verbose=0,
        )
        made = dict(MADE)
        weights = [keras.ops.convert_to_numpy(v) for v in distiller.weights]
        chief = is_chief(distiller)
        replicas = replica_count(distiller)
        if chief:
            arrays = {str(i): array for i, array in enumerate(weights)}
            np.savez(arguments.run_dir / "final.npz", **arrays)
    loss = None
    if chief:  # evaluate on one, outside the strategy
        student = keras.saving.load_model(arguments.run_dir / "best.keras")
        alone = Distiller(student=student)
        alone.compile()
        loss = float(alone.evaluate(dataset(arguments.data), verbose=0)[0])
    digest = hashlib.sha256(b"".join(w.tobytes() for w in weights)).hexdigest()
    result = {"history": history, "weights": digest, "chief": chief, "loss": loss}
    print(json.dumps({**result, "replicas": replicas, **made}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--strategy", default="multi_worker")
    parser.add_argument("--kill-at", type=int)
    main(parser.parse_args())
