"""Small models with sizes of their own, and weights that make their outputs vary."""

import numpy as np
import recipe

from distilpose_keras.models.checkpoints import load_checkpoint, state_dict
from distilpose_keras.models.model import build_model
from distilpose_keras.models.presets import FAMILIES

HEIGHT, WIDTH = 32, 24  # 8 x 6 heatmaps, 2 x 2 patches


def small(family="distilpose", *, layers=2, width=8, **settings):
    """A student or a teacher of tokens that builds in a fraction of a second."""
    kind, _ = FAMILIES[family]
    if family == "tokenpose":
        settings = {"hidden": 8, **settings}
    transformer = {"dim": 16, "layers": layers, "heads": 2}
    sizes = {
        "input_size": (HEIGHT, WIDTH),
        "backbone": {"width": width, "blocks": 1, "block_width": 4},
        "transformer": transformer | settings.pop("transformer", {}),
    }
    return build_model(kind("small"), **{**sizes, **settings})


def recipe_state(model):
    """A complete checkpoint for a model, with weights as the references have them."""
    return {key: recipe.fill(key, v.shape) for key, v in state_dict(model).items()}


def with_recipe_weights(model):
    """The model, with these weights."""
    load_checkpoint(model, recipe_state(model))
    return model


def images(count=2):
    """Normalised images of the small models' size."""
    return recipe.images(count, seed=1, height=HEIGHT, width=WIDTH)


def pictures(count=2, height=HEIGHT, width=WIDTH):
    """RGB pictures in 0..255, float32."""
    stack = [recipe.picture(height, width, seed=i) for i in range(count)]
    return np.stack(stack).astype("float32")
