"""Training on location maps."""

import keras
import numpy as np
import pytest

from distilpose_keras.models.backbones.lite import TRUNK, Lite, freeze_trunk
from distilpose_keras.models.families.integral import IntegralPose
from distilpose_keras.models.model import build_model
from distilpose_keras.training.optimizers import make_optimizer
from distilpose_keras.training.trainer import PoseTrainer

SIZE = 32, 32


def bright_spots(count, seed):
    """Grey images with one bright spot, where all joints are."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(0.25, 0.75, (count, 1, 2))
    y, x = np.mgrid[0:32, 0:32]
    squares = (x - points[..., :1] * 32) ** 2 + (y - points[..., 1:] * 32) ** 2
    images = 60 + 190 * np.exp(-squares / 8)
    images = np.repeat(images[..., None], 3, axis=-1).astype("uint8")
    keypoints = np.repeat(points, 17, axis=1).astype("float32")
    return images, {"keypoints": keypoints, "weights": np.ones((count, 17, 1), "f")}


def new_trainer():
    keras.utils.set_random_seed(1)
    config = IntegralPose("small", input_size=SIZE, backbone=Lite())
    trainer = PoseTrainer(build_model(config))
    trainer.compile(optimizer=make_optimizer(3e-3))
    return trainer


@pytest.mark.slow
def test_the_student_learns_where_the_spot_is():
    trainer = new_trainer()
    images, targets = bright_spots(32, seed=0)
    trainer.fit(images, targets, batch_size=16, epochs=25, verbose=0)
    found = trainer.predict(images[:16], verbose=0)["keypoints"]
    error = np.abs(np.asarray(found) - targets["keypoints"][:16]).mean()
    always_the_middle = np.abs(0.5 - targets["keypoints"][:16]).mean()
    assert error < always_the_middle / 3


def test_the_loss_is_the_sum_of_its_terms():
    trainer = new_trainer()
    figures = trainer.evaluate(*bright_spots(4, seed=1), return_dict=True, verbose=0)
    terms = sum(figures[name] for name in ("location", "regression", "score"))
    assert figures["loss"] == pytest.approx(terms, rel=1e-5)


def test_frozen_stages_stand_still():
    trainer = new_trainer()
    freeze_trunk(trainer.model, 2)
    trainer.compile(optimizer=make_optimizer(3e-3))
    weights = {
        layer.name: layer.get_weights()
        for layer in trainer.model.layers
        if layer.name.startswith(TRUNK)
    }
    trainer.fit(*bright_spots(8, seed=2), batch_size=4, verbose=0)
    changed = {
        name
        for name, before in weights.items()
        for old, new in zip(
            before, trainer.model.get_layer(name).get_weights(), strict=True
        )
        if not np.array_equal(old, new)
    }
    blocks = {int(name.split("-")[2]) for name in changed}
    assert blocks == set(range(3, 11))
