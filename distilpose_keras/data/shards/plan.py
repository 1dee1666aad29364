"""The order of an epoch of shards: each process its own, mixed within a buffer."""

from typing import NamedTuple

import numpy as np

from distilpose_keras.data.epoch_plan import mix_windows, own_positions
from distilpose_keras.data.shards.people import ShardedPeople
from distilpose_keras.data.share import Share


class ShardPlan(NamedTuple):
    """Which person comes when, and what a process reads for it.

    Attributes:
        order: (N,) positions in the data set, the same in all processes.
        keep: (N,) bool: the process wants the picture again.
        own: (n,) positions in the data set of the people that the process prepares,
            in order.
        shards: numbers of the shards that it reads, in order.
    """

    order: np.ndarray
    keep: np.ndarray
    own: np.ndarray
    shards: np.ndarray


def plan_shards(
    people: ShardedPeople,
    *,
    seed: int,
    epoch: int,
    shuffle: bool,
    batch_size: int,
    share: Share,
) -> ShardPlan:
    """Return the order of an epoch for one of several processes.

    Shards are shuffled and dealt out, so that processes have much the same number of
    people. Each process mixes the pictures of its shards within the buffer and their
    people as `plan_epoch` does; a batch is made of equal runs of all processes' people.
    Who is left when the first of them has none for a whole batch comes last, in batches
    that are cut as `Share` says: these people a process reads one by one.

    Args:
        people: ShardedPeople.
        seed: seeds the order together with the epoch.
        epoch: number of the epoch.
        shuffle: False keeps the order of the data set, within each process.
        batch_size: people in a batch of all processes.
        share: `Share` of the process that the plan is for.

    Raises:
        ValueError: if there are fewer shards than processes.
    """
    people.check_processes(share.processes)
    shards = np.arange(len(people.shards))
    if shuffle:
        shards = np.random.default_rng((seed, epoch)).permutation(shards)
    dealt = _deal(shards, people.people_per_shard(), share.processes)
    own_batch = max(1, batch_size // share.processes)
    streams = []
    for process, lane in enumerate(dealt):
        rng = np.random.default_rng((seed, epoch, process)) if shuffle else None
        streams.append(_stream(people, lane, rng, own_batch))
    order = _side_by_side(streams, batch_size)
    mine = own_positions(len(order), batch_size, share)
    own = order[mine]
    _, last = np.unique(people.picture_of[own][::-1], return_index=True)
    keep = np.ones(len(order), bool)
    keep[mine[len(mine) - 1 - last]] = False
    return ShardPlan(order, keep, own, dealt[share.process])


def _deal(shards, counts, processes):
    """Give each shard to the process with the fewest people so far."""
    dealt, totals = [[] for _ in range(processes)], np.zeros(processes, np.int64)
    for shard in shards:
        process = totals.argmin()
        dealt[process].append(shard)
        totals[process] += counts[shard]
    return [np.array(each, np.int64) for each in dealt]


def _stream(people, shards, rng, batch_size):
    """Return the people of some shards in the order in which they come.

    A picture at place n of them comes after all up to n - buffer, and before all from
    n + buffer on: no more need be held to tell which is next.
    """
    first, all_counts = people.first_picture, np.diff(people.first_person)
    pictures = np.concatenate([np.arange(first[s], first[s + 1]) for s in shards])
    if rng is not None:
        counts = all_counts[pictures]
        places = np.cumsum(counts) - counts
        drawn = rng.random(len(pictures))
        if people.buffer < counts.sum():
            drawn = places + drawn * people.buffer
        pictures = pictures[np.argsort(drawn, kind="stable")]
    begins, counts = people.first_person[pictures], all_counts[pictures]
    total = counts.sum()
    order = np.arange(total) + np.repeat(begins - (np.cumsum(counts) - counts), counts)
    return order if rng is None else order[mix_windows(total, rng, batch_size)[0]]


def _side_by_side(streams, batch_size):
    """Make batches of equal runs of every stream, then of who is left."""
    cuts = np.arange(len(streams) + 1) * batch_size // len(streams)
    runs = np.diff(cuts)
    whole = min(len(s) // run for s, run in zip(streams, runs, strict=True) if run)
    parts, left = [], []
    for stream, run in zip(streams, runs, strict=True):
        parts.append(stream[: whole * run].reshape(whole, run))
        left.append(stream[whole * run :])
    return np.concatenate([np.concatenate(parts, axis=1).ravel(), *left])
