"""Trains on one device and on two logical CPU devices, and prints the differences.

``python two_replicas.py CASE...``; a case is a name in `CASES`. Prints JSON:
{case: {"loss": ..., "metrics": ..., "weights": ...}}, largest absolute differences.
"""

import json
import os
import sys

os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"

import keras
import numpy as np
import tiny_pose

from distilpose_keras.distillation.distiller import Distiller
from distilpose_keras.training.optimizers import make_optimizer
from distilpose_keras.training.replicas import replica_count
from distilpose_keras.training.strategies import strategy_scope
from distilpose_keras.training.trainer import PoseTrainer

# Samples, global batch, what is trained, optimizer settings, kind of data set.
CASES = {
    "uneven": (21, 8, "student", {"clip_norm": 0.05, "ema_momentum": 0.5}, "py"),
    "one_sample_left": (17, 8, "student", {}, "py"),
    "teacher": (13, 8, "teacher", {}, "py"),
    "uneven_tf_data": (21, 8, "student", {}, "tf"),
    "accumulated": (21, 4, "student", {"accumulation": 2}, "py"),
    "scaled": (21, 8, "student", {"loss_scaling": True}, "py"),
}


def two_logical_devices():
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        (cpu,) = tf.config.list_physical_devices("CPU")
        two = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(cpu, two)


def as_tf_data(dataset):
    """Batches that no class of ours has touched."""
    import tensorflow as tf

    batches = [dataset[i] for i in range(len(dataset))]
    images = np.concatenate([images for images, _ in batches])
    targets = {
        name: np.concatenate([targets[name] for _, targets in batches])
        for name in batches[0][1]
    }
    whole = tf.data.Dataset.from_tensor_slices((images, targets))
    return whole.batch(dataset.batch_size)


class BatchLosses(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.values = []

    def on_train_batch_end(self, batch, logs=None):
        self.values.append(float(logs["loss"]))


def train(strategy, samples, batch_size, trained, optimizer, kind):
    """Return per-batch losses, metrics and weights."""
    with strategy_scope(strategy):
        if trained == "teacher":
            trainer = PoseTrainer(tiny_pose.fill(tiny_pose.teacher(), 2))
        else:
            student = tiny_pose.fill(tiny_pose.student(), 1)
            teacher = tiny_pose.fill(tiny_pose.teacher(), 2)
            tokens = {"keypoint_token": 0.1, "visual_token": 0.1}
            trainer = Distiller(student=student, teacher=teacher, loss_weights=tokens)
        assert replica_count(trainer) == (1 if strategy == "single" else 2)
        trainer.compile(optimizer=make_optimizer(1e-2, **optimizer))
        dataset = tiny_pose.Dataset(samples, batch_size)
        dataset = as_tf_data(dataset) if kind == "tf" else dataset
        losses = BatchLosses()
        fit = {"verbose": 0, "shuffle": False, "callbacks": [losses]}
        history = trainer.fit(dataset, epochs=2, **fit).history
        validation = tiny_pose.Dataset(samples, batch_size, seed=5)
        metrics = trainer.evaluate(validation, verbose=0)
        metrics = [value for values in history.values() for value in values] + metrics
        state = [*trainer.variables, *trainer.optimizer.variables]
        weights = [np.array(keras.ops.convert_to_numpy(v)) for v in state]
    return losses.values, metrics, weights


def largest_difference(one, two):
    return max(
        float(np.max(np.abs(np.subtract(a, b)), initial=0))
        for a, b in zip(one, two, strict=True)
    )


def main(cases):
    two_logical_devices()
    result = {}
    for case in cases:
        one, two = train("single", *CASES[case]), train("mirrored", *CASES[case])
        names = ("loss", "metrics", "weights")
        differences = map(largest_difference, one, two)
        result[case] = dict(zip(names, differences, strict=True))
    print(json.dumps(result))


if __name__ == "__main__":
    main(sys.argv[1:])
