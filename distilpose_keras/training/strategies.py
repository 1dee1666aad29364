"""Training on many devices and machines."""

import ctypes
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import Any

import keras

STRATEGIES = ("single", "mirrored", "data_parallel", "multi_worker")
# What says who takes part in "multi_worker".
NEEDED = {"tensorflow": "TF_CONFIG", "jax": "KERAS_DISTRIBUTION_JOB_ADDRESSES"}


@contextmanager
def strategy_scope(name: str) -> Iterator[None]:
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
        ...     trainer = PoseTrainer(build_model("hrnet_w32"))
        ...     trainer.compile(optimizer=make_optimizer(1e-3))
        ...     train(trainer, batches, epochs=300, run_dir="run")

    Args:
        name: one of `STRATEGIES`.

    Raises:
        ValueError: for another name, or one that the backend does not have.
    """
    strategy = make_strategy(name)
    if strategy is None:
        yield
        return
    try:
        with strategy.scope():
            yield
    except BaseException:
        _wait_for_nobody()
        raise
    if keras.backend.backend() == "jax":
        _wait_for_all_processes()


def make_strategy(name: str) -> Any:
    """Return what `strategy_scope` enters; with ``multi_worker``, join the processes.

    Args:
        name: one of `STRATEGIES`.

    Returns:
        A ``tf.distribute.Strategy`` or a ``keras.distribution.Distribution``, the same
        one every time; None for ``single``.

    Raises:
        ValueError: for another name, one that the backend does not have, or an
            environment that names no processes.
    """
    if name not in STRATEGIES:
        raise ValueError(f"strategy must be one of {STRATEGIES}. Received: {name!r}")
    if name == "single":
        return None
    backend = keras.backend.backend()
    if backend not in MAKERS:
        raise ValueError(
            "the PyTorch backend of Keras trains on one device: use TensorFlow or JAX "
            f"for several. Received: strategy {name!r}"
        )
    if name == "multi_worker" and not os.environ.get(NEEDED[backend]):
        raise ValueError(
            f"strategy 'multi_worker' needs the variable {NEEDED[backend]} in the "
            "environment, which names the processes"
        )
    return MAKERS[backend](name == "multi_worker")


def outside_strategy(function: Callable[..., Any], *args: Any) -> Any:
    """Call a function as if no strategy were in force, and return its result.

    Strategies and distributions are known to the thread that entered them, and so is
    the precision. Models that the function builds are on the first device of this
    process; it must not use those of the strategy.

    Args:
        function: what to call.
        *args: its arguments.
    """
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(function, *args).result()


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
    distribution.global_batches = True  # see `process_share`
    return distribution


MAKERS = {"tensorflow": _tensorflow_strategy, "jax": _jax_distribution}


def _wait_for_nobody():
    """Let this process of JAX end by an error of its own, such as a bad picture.

    At its exit JAX would wait for the others, and they for its part of the next step.
    """
    if keras.backend.backend() == "jax":
        from jax._src import distributed

        # What its `shutdown` at the exit would wait with. The others see it gone.
        state = distributed.global_state
        if state.client is None:  # this is the only process
            return
        for left in (state.client, state.service):  # never destroyed, which would abort
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(left))
        state.client = state.service = None


def _wait_for_all_processes():
    """Let no process of JAX end while the chief still writes."""
    import jax

    if jax.process_count() > 1:
        from jax.experimental import multihost_utils

        multihost_utils.sync_global_devices("end of strategy_scope")
