"""The part of every batch that one of several processes prepares."""

import math
from typing import NamedTuple

import numpy as np


class Share(NamedTuple):
    """Which samples of a batch are whose.

    A batch whose size the replicas do not divide is repeated, sample by sample, until
    they do (see `distilpose_keras.training.even_batches`), and then cut into one run of
    neighbours per process: 5 samples for 2 processes are 0 0 1 1 2 and 2 3 3 4 4.

    Attributes:
        process: number of the process, from 0.
        processes: how many there are.
        replicas: of the model, in all processes together; a multiple of ``processes``.
    """

    process: int = 0
    processes: int = 1
    replicas: int = 1

    def repeats(self, samples: int) -> int:
        """Return how often each sample of a batch of this size is in it."""
        return self.replicas // math.gcd(samples, self.replicas)

    def rows(self, samples: int) -> np.ndarray:
        """Return the process's positions in a batch of this size, with repetitions."""
        repeated = np.repeat(np.arange(samples), self.repeats(samples))
        part = len(repeated) // self.processes
        return repeated[self.process * part : (self.process + 1) * part]

    def slots(self, samples: int) -> slice:
        """Return the process's positions in a batch of this size, each once."""
        rows = self.rows(samples)
        return slice(int(rows[0]), int(rows[-1]) + 1)

    def check_people(self, count: int) -> None:
        """Raise ValueError if there are fewer people than processes."""
        if count < self.processes:
            raise ValueError(
                f"a training in {self.processes} processes needs at least as many "
                f"people. Received: {count}"
            )


WHOLE = Share()
