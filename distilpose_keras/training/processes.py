"""The processes of one training: which one writes files, and how the others wait."""

import keras
import numpy as np

from distilpose_keras.training.replicas import task_position
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
        count: how many processes there are.
    """

    def __init__(self, strategy):
        """Join the processes, before anything is computed.

        Args:
            strategy: a name, see `strategy_scope`.

        Raises:
            ValueError: as `make_strategy`.
        """
        self._strategy = make_strategy(strategy) if strategy == "multi_worker" else None
        position, self.count = self._position()
        self.chief = position == 0

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
        failed = self.anywhere([error is not None]).any()
        if error is not None:
            raise error
        if failed:
            raise ValueError("another process stopped; its message says why")
        return result

    def anywhere(self, flags):
        """Return which flags are set in any of the processes.

        Args:
            flags: (n,) bool, n the same in all processes.

        Returns:
            (n,) bool, the same in all processes.
        """
        flags = np.asarray(flags, bool)
        return flags if self._strategy is None else self._any(flags)

    def _position(self):
        """Return the number of this process, and of all."""
        if self._strategy is None:
            return 0, 1
        if keras.backend.backend() == "jax":
            import jax

            return jax.process_index(), jax.process_count()
        return task_position(self._strategy)

    def _any(self, flags):
        """Meet the other processes; return which flags are set in one of them."""
        if keras.backend.backend() == "jax":
            from jax.experimental import multihost_utils

            every = multihost_utils.process_allgather(flags)
            return np.reshape(every, (-1, *flags.shape)).any(axis=0)
        import tensorflow as tf

        values = tf.constant(flags, "float32")
        sums = self._strategy.run(tf.function(lambda: tf.identity(values)))
        return self._strategy.reduce("SUM", sums, axis=None).numpy() > 0


def _nothing(*_):
    """Stand in where only the first process works."""
