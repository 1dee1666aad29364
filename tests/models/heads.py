"""Heads alone, against plain NumPy."""

import keras
import numpy as np


def features(height=8, width=6, channels=5):
    """Features of two images."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(2, height, width, channels)).astype("float32")


def model_of(head, array):
    """A model of a head alone, its weights drawn at random."""
    inputs = keras.Input(array.shape[1:])
    model = keras.Model(inputs, head(inputs))
    rng = np.random.default_rng(1)
    for weight in model.trainable_variables:
        weight.assign(rng.normal(0, 0.3, weight.shape))
    return model


def weights_of(model, layer):
    """The arrays of a layer."""
    return [np.array(w) for w in model.get_layer(layer).weights]


def predict(model, array):
    """The outputs as arrays."""
    outputs = model(array, training=False)
    return keras.tree.map_structure(keras.ops.convert_to_numpy, outputs)
