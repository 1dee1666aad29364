"""Weights of EfficientNet-Lite0 drawn at random, under their published names."""

import numpy as np

from distilpose_keras.models.backbones.lite import STAGES


def published_state(rng):
    """Weights under their published names, batch-norms with statistics."""
    state = {}

    def convolution(name, norm, shape):
        fan_in = np.prod(shape[1:])
        state[f"{name}.weight"] = rng.normal(0, fan_in**-0.5, shape)
        state[f"{norm}.weight"] = rng.uniform(0.5, 1.5, shape[0])
        state[f"{norm}.bias"] = rng.normal(0, 0.3, shape[0])
        state[f"{norm}.running_mean"] = rng.normal(0, 0.3, shape[0])
        state[f"{norm}.running_var"] = rng.uniform(0.01, 2, shape[0])

    convolution("_conv_stem", "_bn0", (32, 3, 3, 3))
    width, block = 32, 0
    for out, expansion, _, count, kernel in STAGES:
        for _ in range(count):
            name, inner = f"_blocks.{block}", width * expansion
            if expansion > 1:
                names = f"{name}._expand_conv", f"{name}._bn0"
                convolution(*names, (inner, width, 1, 1))
            names = f"{name}._depthwise_conv", f"{name}._bn1"
            convolution(*names, (inner, 1, kernel, kernel))
            convolution(f"{name}._project_conv", f"{name}._bn2", (out, inner, 1, 1))
            width, block = out, block + 1
    return state
