"""Batches that split evenly among replicas and processes."""

import math

import keras
import numpy as np

from distilpose_keras.training.replicas import process_slice


def split_evenly(dataset, replicas):
    """Make every batch of a data set divisible by the number of replicas.

    Args:
        dataset: what `fit` is given; anything but a `keras.utils.PyDataset` is
            returned as it is, and so is everything for one replica.
        replicas: number of replicas.
    """
    if replicas == 1 or not isinstance(dataset, keras.utils.PyDataset):
        return dataset
    if isinstance(dataset, EvenBatches):
        return dataset
    return EvenBatches(dataset, replicas)


class EvenBatches(keras.utils.PyDataset):
    """A data set whose uneven batches are repeated until they split evenly.

    A batch of 5 for 2 replicas becomes 10: each sample twice. Means over the batch,
    batch-norm statistics and gradients stay the same, no replica is left without a
    sample, and it costs at most as much as the batch does on one device. The targets
    gain the entry ``repeats`` (B, 1): how often the sample is in the batch, for the
    metrics to count it once.

    With several JAX processes, each receives its own part of the batch.
    """

    def __init__(self, dataset, replicas):
        """Wrap a data set of ``(images, targets[, sample_weight])``."""
        super().__init__(
            workers=dataset.workers,
            use_multiprocessing=dataset.use_multiprocessing,
            max_queue_size=dataset.max_queue_size,
        )
        self.dataset = dataset
        self.replicas = replicas

    @property
    def num_batches(self):
        """Number of batches of the wrapped data set."""
        return self.dataset.num_batches

    def __getitem__(self, index):
        """Return one batch."""
        images, targets, *sample_weight = self.dataset[index]
        samples = len(images)
        repeats = self.replicas // math.gcd(samples, self.replicas)
        targets = {**targets, "repeats": np.full((samples, 1), repeats, "float32")}
        mine = process_slice(samples * repeats)

        def spread(array):
            return (
                np.repeat(array, repeats, axis=0)[mine] if repeats > 1 else array[mine]
            )

        batch = (images, targets, *sample_weight)
        return keras.tree.map_structure(spread, batch)

    def on_epoch_begin(self):
        """Pass on."""
        self.dataset.on_epoch_begin()

    def on_epoch_end(self):
        """Pass on."""
        self.dataset.on_epoch_end()
