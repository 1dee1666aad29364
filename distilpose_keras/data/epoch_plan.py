"""The order of an epoch: mixed, yet with the people of a picture close together."""

from typing import NamedTuple

import numpy as np

from distilpose_keras.data.share import WHOLE

WINDOW = 512  # people that are mixed with each other; COCO: of about 220 pictures


class EpochPlan(NamedTuple):
    """Which person comes when.

    Attributes:
        order: (N,) positions in the data set.
        keep: (N,) bool: the picture is wanted again in the same window.
    """

    order: np.ndarray
    keep: np.ndarray


def plan_epoch(image_index, *, seed, epoch, shuffle, batch_size, share=WHOLE):
    """Return the order of an epoch.

    Pictures are shuffled, their people cut into windows of at least two batches, and
    the people of a window shuffled: a batch holds people of many pictures, and a
    decoded picture need be held only within its window.

    Within a batch people stand as their pictures do in the window. So the first half of
    every batch of a window has people of much the same pictures, and of two processes
    that each prepare a half, few pictures are decoded by both.

    Args:
        image_index: (N,) the picture of each person.
        seed: seeds the order together with the epoch.
        epoch: number of the epoch.
        shuffle: False keeps the order of the data set, as one window.
        batch_size: people in a batch.
        share: `Share` of the process that the plan is for. The order is the same for
            all; a picture is kept for the process's own people.
    """
    image_index = np.asarray(image_index, np.int64)
    count = len(image_index)
    order, window = np.arange(count), np.zeros(count, np.int64)
    if shuffle:
        rng = np.random.default_rng((seed, epoch))
        rank = rng.permutation(image_index.max(initial=-1) + 1)
        by_image = np.argsort(rank[image_index], kind="stable")
        places, window = mix_windows(count, rng, batch_size)
        order = by_image[places]
    group = window * (image_index.max(initial=0) + 1) + image_index[order]
    mine = own_positions(count, batch_size, share)
    _, last = np.unique(group[mine][::-1], return_index=True)
    keep = np.ones(count, bool)
    keep[mine[len(mine) - 1 - last]] = False
    return EpochPlan(order, keep)


def mix_windows(count, rng, batch_size):
    """Mix people whose pictures are in order with others of their window.

    Args:
        count: N people, those of a picture next to each other.
        rng: NumPy generator, advanced by N numbers.
        batch_size: people in a batch, of one process.

    Returns:
        (N,) the positions in their new order, and (N,) the window of each.
    """
    length = max(WINDOW, 2 * batch_size)
    window = np.arange(count) // length
    places = np.lexsort((rng.random(count), window))
    # 0 for the first picture of the window, towards 1 for its last.
    depth = places % length / np.minimum(length, count - window * length)
    places = places[np.lexsort((depth, np.arange(count) // batch_size))]
    return places, places // length


def own_positions(count, batch_size, share):
    """Return the positions in an epoch that a process prepares.

    Args:
        count: people in the epoch.
        batch_size: people in a batch of all processes.
        share: `Share` of the process.
    """
    places = np.arange(count)
    if share.processes == 1:
        return places
    batches = [places[n : n + batch_size] for n in range(0, count, batch_size)]
    return np.concatenate([batch[share.slots(len(batch))] for batch in batches])
