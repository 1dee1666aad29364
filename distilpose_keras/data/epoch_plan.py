"""The order of an epoch: mixed, yet with the people of a picture close together."""

from typing import NamedTuple

import numpy as np

WINDOW = 512  # people that are mixed with each other; COCO: of about 220 pictures


class EpochPlan(NamedTuple):
    """Which person comes when.

    Attributes:
        order: (N,) positions in the data set.
        keep: (N,) bool: the picture is wanted again in the same window.
    """

    order: np.ndarray
    keep: np.ndarray


def plan_epoch(image_index, *, seed, epoch, shuffle, batch_size):
    """Return the order of an epoch.

    Pictures are shuffled, their people cut into windows of at least two batches, and
    the people of a window shuffled: a batch holds people of many pictures, and a
    decoded picture need be held only within its window.

    Args:
        image_index: (N,) the picture of each person.
        seed: seeds the order together with the epoch.
        epoch: number of the epoch.
        shuffle: False keeps the order of the data set, as one window.
        batch_size: people in a batch.
    """
    image_index = np.asarray(image_index, np.int64)
    count = len(image_index)
    order = np.arange(count)
    window = np.zeros(count, np.int64)
    if shuffle:
        rng = np.random.default_rng((seed, epoch))
        rank = rng.permutation(image_index.max(initial=-1) + 1)
        by_image = np.argsort(rank[image_index], kind="stable")
        window = np.arange(count) // max(WINDOW, 2 * batch_size)
        order = by_image[np.lexsort((rng.random(count), window))]
    group = window * (image_index.max(initial=0) + 1) + image_index[order]
    _, last = np.unique(group[::-1], return_index=True)
    keep = np.ones(count, bool)
    keep[count - 1 - last] = False
    return EpochPlan(order, keep)
