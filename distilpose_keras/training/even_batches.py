"""Batches that split evenly among replicas and processes."""

import keras
import numpy as np


def split_evenly(dataset, share):
    """Make every batch of a data set divisible by the number of replicas.

    Args:
        dataset: what `fit` is given; anything but a `keras.utils.PyDataset` is
            returned as it is, and so is everything for one replica.
        share: `Share` of this process, see `process_share`.

    Raises:
        ValueError: if there are fewer people than processes.
    """
    if share.replicas == 1 or not isinstance(dataset, keras.utils.PyDataset):
        return dataset
    if isinstance(dataset, EvenBatches):
        return dataset
    return EvenBatches(dataset, share)


def part_of(dataset, index, share):
    """Return the samples of a batch that a process needs, each once.

    A data set with a method ``part``, such as `PoseDataset`, prepares no others.

    Args:
        dataset: `keras.utils.PyDataset` of ``(images, targets[, sample_weight])``.
        index: position of the batch.
        share: `Share` of the process.

    Returns:
        The number of samples in the whole batch, and the batch of those at
        ``share.slots`` of that number.
    """
    if share.processes > 1 and _divides(type(dataset)):
        return dataset.part(index, share)
    batch = tuple(dataset[index])
    samples = len(batch[0])
    slots = share.slots(samples)
    return samples, keras.tree.map_structure(lambda array: array[slots], batch)


def _divides(kind):
    """Whether a class says what a part of a batch is.

    A subclass that makes other batches, by its own ``__getitem__``, must say so anew.
    """
    for each in kind.__mro__:
        if "part" in vars(each):
            return True
        if "__getitem__" in vars(each):
            return False
    return False


class EvenBatches(keras.utils.PyDataset):
    """A data set whose uneven batches are repeated until they split evenly.

    A batch of 5 for 2 replicas becomes 10: each sample twice. Means over the batch,
    batch-norm statistics and gradients stay the same, no replica is left without a
    sample, and it costs at most as much as the batch does on one device. The targets
    gain the entry ``repeats`` (B, 1): how often the sample is in the batch, for the
    metrics to count it once.

    Of several processes each receives its own part of the batch, and prepares no more
    than that where the data set knows how (`part_of`).
    """

    def __init__(self, dataset, share):
        """Wrap a data set of ``(images, targets[, sample_weight])``."""
        super().__init__(
            workers=dataset.workers,
            use_multiprocessing=dataset.use_multiprocessing,
            max_queue_size=dataset.max_queue_size,
        )
        self.dataset = dataset
        self.share = share

    @property
    def num_batches(self):
        """Number of batches of the wrapped data set."""
        return self.dataset.num_batches

    def __getitem__(self, index):
        """Return one batch."""
        samples, batch = part_of(self.dataset, index, self.share)
        images, targets, *sample_weight = batch
        rows = self.share.rows(samples)
        rows -= rows[0]
        repeats = self.share.repeats(samples)
        targets = {
            **targets,
            "repeats": np.full((len(images), 1), repeats, "float32"),
        }

        def spread(array):
            return array if repeats == 1 else array[rows]

        return keras.tree.map_structure(spread, (images, targets, *sample_weight))

    def on_epoch_begin(self):
        """Pass on."""
        self.dataset.on_epoch_begin()

    def on_epoch_end(self):
        """Pass on."""
        self.dataset.on_epoch_end()
