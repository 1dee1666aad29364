"""Gradients on whichever backend there is."""

import keras


def value_and_gradients(function, arrays, *, compiled=True):
    """Differentiate a scalar function of a dict of arrays, as a training step would.

    Returns:
        the value, and a dict of gradients, None where nothing depends on the array;
        compiled on TensorFlow and JAX, or not with ``compiled=False``.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        tensors = {k: tf.convert_to_tensor(v) for k, v in arrays.items()}

        def differentiate(tensors):
            with tf.GradientTape() as tape:
                tape.watch(tensors)
                value = function(tensors)
            return value, tape.gradient(value, tensors)

        if compiled:
            differentiate = tf.function(differentiate)
        value, gradients = differentiate(tensors)
    elif backend == "jax":
        import jax

        differentiate = jax.value_and_grad(function)
        if compiled:
            differentiate = jax.jit(differentiate)
        value, gradients = differentiate(arrays)
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
