"""Averages of the weights, computed beside the optimizer."""

import keras
import numpy as np
import pytest

from distilpose_keras.training.ema import averaged_weights, has_averages


def kernel(model):
    return np.array(model.trainable_variables[0])


def trained_line(*, scaled=False, **optimizer):
    """Train a line for some steps; return it and its kernel after each step."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    optimizer = keras.optimizers.SGD(0.05, **optimizer)
    if scaled:
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    model.compile(optimizer=optimizer, loss="mse")
    x, kernels = np.arange(4, dtype="float32")[:, None], []
    for _ in range(4):
        model.train_on_batch(x, 3 * x)
        kernels.append(kernel(model))
    return model, kernels


@pytest.mark.backend
@pytest.mark.parametrize("scaled", [False, True], ids=["plain", "loss scaling"])
def test_the_block_holds_the_averages_and_the_trained_weights_return(scaled):
    model, kernels = trained_line(use_ema=True, ema_momentum=0.8, scaled=scaled)
    assert has_averages(model)
    average = kernels[0]  # what the first step leaves
    for each in kernels[1:]:
        average = 0.8 * average + 0.2 * each
    trained = kernel(model)
    with pytest.raises(KeyError), averaged_weights(model):
        np.testing.assert_allclose(kernel(model), average, rtol=1e-5)
        assert np.abs(kernel(model) - trained).max() > 1e-3
        raise KeyError
    np.testing.assert_array_equal(kernel(model), trained)


def test_without_averages_nothing_happens():
    model, _ = trained_line()
    assert not has_averages(model)
    trained = kernel(model)
    with averaged_weights(model):
        np.testing.assert_array_equal(kernel(model), trained)
