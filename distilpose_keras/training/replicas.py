"""How many replicas train together, and means over the batch that they share.

Under `tf.distribute` a step sees the part of its replica. On JAX it sees the global
batch, and on PyTorch there is one replica.
"""

from contextlib import nullcontext

import keras
from keras import ops

from distilpose_keras.data.share import Share


def global_means(means, samples):
    """Average local means over all replicas, each weighted by its samples.

    Without a TensorFlow strategy the arguments are already global.

    Args:
        means: (T,) float32 means over the local samples; anything if there are none.
        samples: number of local samples, possibly 0; differs between replicas where
            the last batch is uneven.

    Returns:
        means: (T,) over the global batch, the same on all replicas, not
            differentiated.
        samples: samples of the global batch divided by the number of replicas.
    """
    samples = ops.cast(samples, "float32")
    context, replicas = _replica_context()
    if replicas == 1:
        return ops.stop_gradient(means), samples
    sums = _zero_if_empty(means, samples) * samples
    packed = ops.stop_gradient(ops.append(sums, samples))
    packed = context.all_reduce("SUM", packed)
    return packed[:-1] / packed[-1], packed[-1] / replicas


def replica_loss(local_mean, samples, global_mean, global_samples):
    """Loss of this replica, such that the optimizer's sum is the global gradient.

    Keras sums gradients over replicas and multiplies the reported loss by their
    number, so each replica returns the global mean divided by that number. A replica
    differentiates its own samples only: its local mean, weighted by its share.

    Args:
        local_mean: differentiable mean over the local samples.
        samples: number of local samples.
        global_mean: mean over the global batch, from `global_means`.
        global_samples: second result of `global_means`.
    """
    _, replicas = _replica_context()
    if replicas == 1:
        return local_mean
    share = ops.cast(samples, "float32") / (global_samples * replicas)
    local = _zero_if_empty(local_mean, samples) * share
    # The value of the first term, the gradient of the second.
    return global_mean / replicas + (local - ops.stop_gradient(local))


def _zero_if_empty(means, samples):
    """Replace the 0 / 0 of a replica without samples."""
    return ops.where(samples > 0, means, ops.zeros_like(means))


def _replica_context():
    """Return the TensorFlow replica context and the number of replicas in step."""
    if keras.backend.backend() != "tensorflow":
        return None, 1
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    return context, 1 if context is None else context.num_replicas_in_sync


def replica_count(trainer):
    """Return how many replicas, in all processes, share a batch of the trainer."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        return trainer.distribute_strategy.num_replicas_in_sync
    distribution = keras.distribution.distribution() if backend == "jax" else None
    return 1 if distribution is None else distribution.device_mesh.devices.size


def process_share(trainer):
    """Return the `Share` of every batch that this process has to provide.

    Under JAX `strategy_scope` promises that batches are global; without it they are
    the process's own.

    Args:
        trainer: the model that is trained.
    """
    process, processes = 0, 1
    backend = keras.backend.backend()
    if backend == "tensorflow" and _spans_processes(trainer):
        process, processes = task_position(trainer.distribute_strategy)
    elif backend == "jax" and getattr(
        keras.distribution.distribution(), "global_batches", False
    ):
        import jax

        process, processes = jax.process_index(), jax.process_count()
    return Share(process, processes, replica_count(trainer))


def synchronize_batch_norm(model):
    """Make batch normalisation of a model use the statistics of the global batch.

    JAX does so by itself, and PyTorch has one replica: nothing changes there.
    """
    if keras.backend.backend() != "tensorflow":
        return
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            synchronize_batch_norm(layer)
        elif isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = True


def sum_over_replicas(tensors):
    """Sum tensors over the replicas of a TensorFlow strategy.

    Args:
        tensors: list of tensors and None.

    Returns:
        The list of sums, and the number of replicas.
    """
    context, replicas = _replica_context()
    if replicas == 1:
        return tensors, 1
    given = [tensor for tensor in tensors if tensor is not None]
    sums = iter(context.all_reduce("SUM", given))
    return [None if tensor is None else next(sums) for tensor in tensors], replicas


def all_replicas(flag):
    """Return whether a boolean tensor is true on all replicas."""
    context, replicas = _replica_context()
    if replicas == 1:
        return flag
    return context.all_reduce("SUM", ops.cast(flag, "float32")) == replicas


def is_chief(trainer):
    """Return whether this process is the one of several that writes files."""
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        return jax.process_index() == 0
    if backend == "tensorflow":
        return is_first_task(trainer.distribute_strategy)
    return True


def is_first_task(strategy):
    """Return whether this process is the first of a TensorFlow strategy's."""
    return task_position(strategy)[0] == 0


def task_position(strategy):
    """Return the number of this process and of all of a TensorFlow strategy's.

    A chief, if there is one, comes before the workers.
    """
    resolver = strategy.cluster_resolver
    if resolver is None or not resolver.task_type:
        return 0, 1
    cluster = resolver.cluster_spec()
    jobs = [job for job in ("chief", "worker") if job in cluster.jobs]
    before = jobs[: jobs.index(resolver.task_type)]
    position = sum(cluster.num_tasks(job) for job in before) + resolver.task_id
    return position, sum(map(cluster.num_tasks, jobs))


def variable_scope(trainer):
    """Return the context in which variables of a trainer must be created."""
    if keras.backend.backend() == "tensorflow":
        return trainer.distribute_strategy.scope()
    return nullcontext()


def reducible(trainer, logs):
    """Return the logs of a step in the form that Keras can reduce.

    Between processes Keras takes the mean of a log over its first axis
    (`reduce_per_replica`), which a scalar does not have.

    Args:
        trainer: the model whose step it is.
        logs: what a `train_step` or `test_step` returns.
    """
    if not _spans_processes(trainer):
        return logs
    return {name: ops.reshape(value, (1,)) for name, value in logs.items()}


def _spans_processes(trainer):
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    strategy = trainer.distribute_strategy
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)


def check_accumulation(trainer):
    """Raise where Keras cannot accumulate gradients: under TensorFlow strategies.

    It updates the weights inside a condition, in which replicas may not meet.
    """
    optimizer = getattr(trainer.optimizer, "inner_optimizer", trainer.optimizer)
    steps = getattr(optimizer, "gradient_accumulation_steps", None)
    if keras.backend.backend() == "tensorflow" and steps and replica_count(trainer) > 1:
        raise ValueError(
            "TensorFlow strategies do not accumulate gradients: use JAX or a smaller "
            f"batch. Received: gradient accumulation over {steps} batches"
        )
