"""Means and losses of two replicas with uneven batches, side by side."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest

from distilpose_keras.training import replicas
from distilpose_keras.training.replicas import (
    all_replicas,
    check_accumulation,
    global_means,
    is_first_task,
    replica_loss,
    sum_over_replicas,
    task_position,
)


class Context:
    """A replica context whose only other replica sends given values."""

    def __init__(self, *others):
        self.others = list(others)

    def all_reduce(self, operation, values):
        assert operation == "SUM"
        other = self.others.pop(0)
        if isinstance(values, list):
            return [a + b for a, b in zip(values, other, strict=True)]
        return values + np.float32(other)


@pytest.fixture
def beside(monkeypatch):
    """Go on as one of two replicas, beside one that sends given values."""

    def begin(*others):
        context = Context(*others), 2
        monkeypatch.setattr(replicas, "_replica_context", lambda: context)

    return begin


# One replica has 3 samples with means 2 and 4, the other one sample with 6 and 0.
def test_means_are_those_of_the_samples_of_both(beside):
    for means, samples, other in (
        ([2.0, 4.0], 3, [6.0, 0.0, 1.0]),
        ([6.0, 0.0], 1, [6.0, 12.0, 3.0]),
    ):
        beside(other)  # sums and their number
        found, weight = global_means(keras.ops.convert_to_tensor(means), samples)
        np.testing.assert_allclose(found, [3.0, 3.0])
        assert float(weight) == 2  # of 4 samples


def test_a_replica_without_samples_counts_for_nothing(beside):
    beside([6.0, 12.0, 3.0])
    nan = keras.ops.convert_to_tensor([np.nan, np.nan])
    found, weight = global_means(nan, 0)
    np.testing.assert_allclose(found, [2.0, 4.0])
    assert float(weight) == 1.5


def test_gradients_of_both_replicas_sum_to_that_of_the_global_mean(beside):
    import tensorflow as tf

    x = tf.Variable(1.0)
    values, gradients = [], []
    for slope, samples in ((2.0, 3), (6.0, 1)):
        beside()
        with tf.GradientTape() as tape:
            # The global mean is (3 * 2 + 1 * 6) / 4 * x = 3 x.
            loss = replica_loss(slope * x, samples, tf.constant(3.0), 2.0)
        values.append(float(loss))
        gradients.append(float(tape.gradient(loss, x)))
    assert values == [1.5, 1.5]  # Keras sums them
    assert gradients == [1.5, 1.5]
    beside()
    with tf.GradientTape() as tape:
        loss = replica_loss(x * np.nan, 0, tf.constant(3.0), 2.0)
    assert float(loss) == 1.5


def test_missing_tensors_stay_missing_in_a_sum(beside):
    beside([10.0, 20.0])
    assert sum_over_replicas([1.0, None, 2.0]) == ([11.0, None, 22.0], 2)


def test_all_replicas_must_agree(beside):
    for mine, other, expected in ((True, 1, True), (True, 0, False), (False, 1, False)):
        beside(other)
        flag = all_replicas(keras.ops.convert_to_tensor(mine))
        assert bool(flag) == expected


def test_tasks_are_counted_from_the_chief_or_else_the_first_worker():
    def strategy(kind, index, **jobs):
        cluster = SimpleNamespace(jobs=list(jobs), num_tasks=jobs.__getitem__)
        resolver = SimpleNamespace(
            task_type=kind, task_id=index, cluster_spec=lambda: cluster
        )
        return SimpleNamespace(cluster_resolver=resolver)

    alone = SimpleNamespace(cluster_resolver=None)
    assert task_position(alone) == (0, 1)
    assert is_first_task(alone)
    assert task_position(strategy("worker", 0, worker=3)) == (0, 3)
    assert task_position(strategy("worker", 2, worker=3)) == (2, 3)
    assert task_position(strategy("chief", 0, chief=1, worker=2)) == (0, 3)
    assert task_position(strategy("worker", 0, worker=2, chief=1)) == (1, 3)
    assert is_first_task(strategy("chief", 0, chief=1, worker=2))
    assert not is_first_task(strategy("worker", 0, chief=1, worker=2))


@pytest.mark.parametrize("wrapped", [False, True])
def test_gradient_accumulation_is_refused_under_a_tensorflow_strategy(wrapped):
    optimizer = SimpleNamespace(gradient_accumulation_steps=4)
    if wrapped:  # in one that scales the loss
        optimizer = SimpleNamespace(inner_optimizer=optimizer)

    def trainer(count):
        strategy = SimpleNamespace(num_replicas_in_sync=count)
        return SimpleNamespace(optimizer=optimizer, distribute_strategy=strategy)

    check_accumulation(trainer(1))
    with pytest.raises(ValueError, match="Received: .* over 4 batches"):
        check_accumulation(trainer(2))
