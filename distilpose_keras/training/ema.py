"""Moving averages of the weights, which are evaluated and saved but not trained."""

from contextlib import contextmanager

import keras


def has_averages(trainer):
    """Return whether the optimizer of a compiled model averages the weights."""
    return _inner(trainer.optimizer).use_ema


@contextmanager
def averaged_weights(trainer):
    """Hold the averaged weights inside the block, and the trained ones after it.

    Without averages nothing happens.

    Args:
        trainer: compiled keras.Model with a built optimizer.
    """
    if not has_averages(trainer):
        yield
        return
    trained = swap_in_averages(trainer)
    try:
        yield
    finally:
        for variable, value in trained:
            variable.assign(value)


def swap_in_averages(trainer):
    """Put the averages in the place of the trained weights.

    Returns:
        List of (variable, trained value).
    """
    if keras.backend.backend() == "jax":
        trainer.jax_state_sync()
    averages = _inner(trainer.optimizer)._model_variables_moving_average
    pairs = list(zip(trainer.trainable_variables, averages, strict=True))
    trained = [(v, keras.ops.convert_to_numpy(v)) for v, _ in pairs]
    # PyTorch shares memory with its arrays.
    trained = [(v, value.copy()) for v, value in trained]
    for variable, average in pairs:
        variable.assign(average.value)
    return trained


def _inner(optimizer):
    """Return the optimizer that updates the weights, below any loss scaling."""
    return getattr(optimizer, "inner_optimizer", optimizer)
