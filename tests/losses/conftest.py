"""Fixtures of the losses' tests."""

import keras
import pytest


def _value_and_gradients(function, arrays):
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        tensors = {k: tf.convert_to_tensor(v) for k, v in arrays.items()}

        @tf.function
        def differentiate(tensors):
            with tf.GradientTape() as tape:
                tape.watch(tensors)
                value = function(tensors)
            return value, tape.gradient(value, tensors)

        value, gradients = differentiate(tensors)
    elif backend == "jax":
        import jax

        value, gradients = jax.jit(jax.value_and_grad(function))(arrays)
    else:
        import torch

        tensors = {k: torch.tensor(v, requires_grad=True) for k, v in arrays.items()}
        value = function(tensors)
        value.backward()
        gradients = {k: tensor.grad for k, tensor in tensors.items()}
    as_numpy = keras.ops.convert_to_numpy
    return as_numpy(value), {
        k: None if g is None else as_numpy(g) for k, g in gradients.items()
    }


@pytest.fixture(scope="session")
def value_and_gradients():
    """Differentiate a scalar function of a dict of arrays, as a training step would.

    Returns:
        a function of (function, arrays) that gives the value and a dict of gradients,
        None where nothing depends on the array; compiled on TensorFlow and JAX.
    """
    return _value_and_gradients
