"""Small models with sizes of their own, and weights that make their outputs vary."""

import numpy as np
import recipe

from distilpose_keras.models.build import build_model
from distilpose_keras.models.checkpoints import load_checkpoint, state_dict

HEIGHT, WIDTH = 32, 24  # 8 x 6 heatmaps, 2 x 2 patches


def small(head="token_regression", **settings):
    """A student or teacher that builds in a fraction of a second."""
    return build_model(
        "distilpose_s",
        **{
            "name": "small",
            "head": head,
            "input_size": (HEIGHT, WIDTH),
            "stem_width": 8,
            "stem_blocks": 1,
            "stem_block_width": 4,
            "token_dim": 16,
            "token_layers": 2,
            "token_heads": 2,
            "heatmap_hidden": 8,
            **settings,
        },
    )


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
