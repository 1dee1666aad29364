"""Training on many devices and machines."""

from contextlib import contextmanager
from functools import cache

import keras

STRATEGIES = ("single", "mirrored", "data_parallel", "multi_worker")


@contextmanager
def strategy_scope(name):
    """Build, compile and train models inside the block on several devices.

    ``mirrored`` and ``data_parallel`` are one thing, synchronous data parallelism over
    all devices of the machine, by the names of TensorFlow (`MirroredStrategy`) and JAX
    (`keras.distribution.DataParallel`). ``multi_worker`` joins the processes that
    ``TF_CONFIG`` names (TensorFlow) or that ``KERAS_DISTRIBUTION_JOB_ADDRESSES``,
    ``KERAS_DISTRIBUTION_NUM_PROCESSES`` and ``KERAS_DISTRIBUTION_PROCESS_ID`` name
    (JAX); it must be entered before anything is computed.

    The batch size is the global one in all of them.

    Example:
        >>> with strategy_scope("mirrored"):
        ...     distiller = Distiller(build_model("distilpose_s"))
        ...     distiller.compile(optimizer=make_optimizer(1e-3))
        ...     train(distiller, batches, epochs=300, run_dir="run")

    Args:
        name: one of `STRATEGIES`.

    Raises:
        ValueError: for another name, or one that the backend does not have.
    """
    if name not in STRATEGIES:
        raise ValueError(f"strategy must be one of {STRATEGIES}. Received: {name!r}")
    backend = keras.backend.backend()
    if name == "single":
        yield
    elif backend == "tensorflow":
        with _tensorflow_strategy(name == "multi_worker").scope():
            yield
    elif backend == "jax":
        with _jax_distribution(name == "multi_worker").scope():
            yield
        _wait_for_all_processes()
    else:
        raise ValueError(
            "the PyTorch backend of Keras trains on one device: use TensorFlow or JAX "
            f"for several. Received: strategy {name!r}"
        )


@cache  # the collectives of a second strategy would get in the way of the first's
def _tensorflow_strategy(multi_worker):
    import tensorflow as tf

    if multi_worker:
        return tf.distribute.MultiWorkerMirroredStrategy()
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices(
        "CPU"
    )
    return tf.distribute.MirroredStrategy([device.name for device in devices])


@cache
def _jax_distribution(multi_worker):
    if multi_worker:
        keras.distribution.initialize()
    distribution = keras.distribution.DataParallel(
        devices=keras.distribution.list_devices(),
        auto_shard_dataset=False,  # which Keras can do for tf.data only
    )
    distribution.global_batches = True  # see `process_slice`
    return distribution


def _wait_for_all_processes():
    """Let no process of JAX end while the chief still writes."""
    import jax

    if jax.process_count() > 1:
        from jax.experimental import multihost_utils

        multihost_utils.sync_global_devices("end of strategy_scope")
