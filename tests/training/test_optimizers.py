"""Adam against PyTorch's formula, clipping, accumulation and averages."""

import keras
import numpy as np
import pytest

from distilpose_keras.training.optimizers import (
    Adam,
    LossScaleOptimizer,
    make_optimizer,
)

GRADIENTS = np.array([[1.0, -2e-8, 3e-9], [0.5, 1e-8, -2e-9], [-2.0, 3e-8, 1e-9]])


def torch_adam(value, gradients, rate, epsilon=1e-8, betas=(0.9, 0.999)):
    """The algorithm in the documentation of torch.optim.Adam, in float64."""
    first = second = np.zeros_like(value)
    for step, gradient in enumerate(gradients, start=1):
        first = betas[0] * first + (1 - betas[0]) * gradient
        second = betas[1] * second + (1 - betas[1]) * gradient**2
        root = np.sqrt(second / (1 - betas[1] ** step)) + epsilon
        value = value - rate * first / (1 - betas[0] ** step) / root
    return value


def apply(optimizer, variable, gradients):
    for gradient in gradients:
        gradient = keras.ops.convert_to_tensor(gradient.astype("float32"))
        optimizer.apply([gradient], [variable])
    return keras.ops.convert_to_numpy(variable)


@pytest.mark.backend
def test_adam_adds_epsilon_where_pytorch_does():
    variable = keras.Variable(np.zeros(3, "float32"))
    actual = apply(Adam(0.1), variable, GRADIENTS)
    np.testing.assert_allclose(
        actual, torch_adam(np.zeros(3), GRADIENTS, 0.1), rtol=1e-4
    )
    # Keras' own Adam damps gradients of the size of epsilon far more.
    variable = keras.Variable(np.zeros(3, "float32"))
    other = apply(keras.optimizers.Adam(0.1, epsilon=1e-8), variable, GRADIENTS)
    assert abs(other[2]) < 0.5 * abs(actual[2])


@pytest.mark.backend
def test_gradients_are_clipped_by_their_norm_together():
    variable = keras.Variable(np.zeros(2, "float32"))
    optimizer = make_optimizer(0.1, clip_norm=1.0)
    optimizer.apply([keras.ops.convert_to_tensor([30.0, 40.0])], [variable])
    moment = keras.ops.convert_to_numpy(optimizer._momentums[0])
    np.testing.assert_allclose(moment, 0.1 * np.array([0.6, 0.8]), rtol=1e-5)


@pytest.mark.backend
def test_accumulated_batches_make_one_update_of_their_mean():
    gradients = np.array([[1.0, 2.0], [3.0, -1.0], [0.5, 0.5], [1.5, 0.0]])
    variable = keras.Variable(np.zeros(2, "float32"))
    optimizer = make_optimizer(0.1, accumulation=2)
    optimizer.build([variable])
    actual = apply(optimizer, variable, gradients)
    means = gradients.reshape(2, 2, 2).mean(axis=1)
    np.testing.assert_allclose(actual, torch_adam(np.zeros(2), means, 0.1), rtol=1e-4)


def test_adam_comes_back_from_its_configuration():
    optimizer = make_optimizer(0.1, clip_norm=2.0, ema_momentum=0.5)
    read = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(optimizer)
    )
    assert type(read) is Adam
    assert read.get_config() == optimizer.get_config()
    assert read.get_config()["epsilon"] == 1e-8


@pytest.mark.backend
@pytest.mark.skipif(
    keras.backend.backend() == "jax", reason="JAX applies it in a compiled step only"
)
def test_loss_scaling_skips_a_step_that_overflows():
    optimizer = make_optimizer(0.1, loss_scaling=True)
    assert isinstance(optimizer, LossScaleOptimizer)
    variable = keras.Variable(np.ones(2, "float32"))
    optimizer.build([variable])
    before = float(keras.ops.convert_to_numpy(optimizer.dynamic_scale))
    optimizer.apply([keras.ops.convert_to_tensor([np.inf, 0.0])], [variable])
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(variable), 1)
    after = float(keras.ops.convert_to_numpy(optimizer.dynamic_scale))
    assert after == before / 2
