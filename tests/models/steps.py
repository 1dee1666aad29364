"""A few steps of training for full-size networks that are shrunken."""

import keras
import numpy as np
import recipe

from distilpose_keras.training.trainer import PoseTrainer


def trained(model):
    """A trainer of the model that is ready to `fit`."""
    trainer = PoseTrainer(model)
    trainer.compile(optimizer=keras.optimizers.Adam(1e-3), jit_compile=False)
    return trainer


def batch(model, count=2):
    """Crops of the model's size, and keypoints well inside of them."""
    height, width = model.pose_config.input_size
    images = recipe.images(count, seed=3, height=height, width=width)
    rng = np.random.default_rng(4)
    return images, {
        "keypoints": rng.uniform(0.2, 0.8, (count, 17, 2)).astype("float32"),
        "weights": np.ones((count, 17, 1), "float32"),
    }
