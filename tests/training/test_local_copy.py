"""A callback looks at a copy that no strategy knows of."""

import keras
import numpy as np
import pytest
import tiny_pose

from distilpose_keras.distillation.distiller import Distiller
from distilpose_keras.training.local_copy import OnLocalCopy
from distilpose_keras.training.replicas import replica_count
from distilpose_keras.training.strategies import strategy_scope

STRATEGIES = {"tensorflow": "mirrored", "jax": "data_parallel", "torch": "single"}


class Look(keras.callbacks.Callback):
    """Notes what it sees, and adds a figure."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_epoch_end(self, epoch, logs=None):
        self.seen.append(self.model.get_weights())
        self.strategy = keras.distribution.distribution()
        self.copy = self.model
        self.epochs = self.params["epochs"]
        logs["val_AP"] = 0.5 + epoch


@pytest.mark.backend
def test_a_callback_sees_the_weights_of_each_epoch_and_adds_to_its_logs():
    look = Look()
    with strategy_scope(STRATEGIES[keras.backend.backend()]):
        distiller = Distiller(student=tiny_pose.fill(tiny_pose.student(), 1))
        distiller.compile(optimizer="adam")
        local = OnLocalCopy(look, distiller.model)
        batches = tiny_pose.Dataset(samples=8)
        fit = {"epochs": 2, "verbose": 0, "shuffle": False}
        history = distiller.fit(batches, callbacks=[local], **fit).history
        trained = distiller.model.get_weights()
    assert history["val_AP"] == [0.5, 1.5]
    assert look.epochs == 2
    assert look.copy is not distiller.model
    assert look.strategy is None
    assert replica_count(look.copy) == 1
    for last, now in zip(look.seen[-1], trained, strict=True):
        np.testing.assert_array_equal(last, now)
    assert any((a != b).any() for a, b in zip(*look.seen, strict=True))
