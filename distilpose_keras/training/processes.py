"""The processes of one training: which one writes files, and how the others wait."""

import keras
import numpy as np

from distilpose_keras.training.replicas import is_first_task
from distilpose_keras.training.strategies import make_strategy


class Processes:
    """All processes of a training, seen from one of them.

    Every process must make the same calls in the same order. With any strategy but
    ``multi_worker`` there is one process.

    Example:
        >>> processes = Processes("multi_worker")
        >>> processes.first(write_settings, "run/settings.json")
        >>> processes.together(read_settings, "run/settings.json")

    Attributes:
        chief: whether this process is the first, the one that writes.
    """

    def __init__(self, strategy):
        """Join the processes, before anything is computed.

        Args:
            strategy: a name, see `strategy_scope`.

        Raises:
            ValueError: as `make_strategy`.
        """
        self._strategy = make_strategy(strategy) if strategy == "multi_worker" else None
        self.chief = self._strategy is None or self._is_first()

    def first(self, function, *args):
        """Call a function in the first process while the others wait.

        Args:
            function: what to call.
            *args: its arguments.

        Returns:
            What it returned; None in the others.

        Raises:
            ValueError: in the others, if it raised in the first.
        """
        return self.together(function if self.chief else _nothing, *args)

    def together(self, function, *args):
        """Call a function in every process, and go on when all have.

        Args:
            function: what to call.
            *args: its arguments.

        Returns:
            What it returned in this process.

        Raises:
            ValueError: in all processes where it did not raise itself, if it raised
                in one.
        """
        result = error = None
        try:
            result = function(*args)
        except Exception as raised:  # told to the others, and raised again below
            error = raised
        failed = self._strategy is not None and self._any(error is not None)
        if error is not None:
            raise error
        if failed:
            raise ValueError("another process stopped; its message says why")
        return result

    def _is_first(self):
        if keras.backend.backend() == "jax":
            import jax

            return jax.process_index() == 0
        return is_first_task(self._strategy)

    def _any(self, flag):
        """Meet the other processes; return whether the flag is set in one of them."""
        if keras.backend.backend() == "jax":
            from jax.experimental import multihost_utils

            return bool(multihost_utils.process_allgather(np.array(flag)).any())
        import tensorflow as tf

        flags = self._strategy.run(tf.function(lambda: tf.constant(float(flag))))
        return float(self._strategy.reduce("SUM", flags, axis=None)) > 0


def _nothing(*_):
    """Stand in where only the first process works."""
