"""Everyone comes once, mixed within the buffer, from each process's own shards."""

import numpy as np
import pytest

from distilpose_keras.data.epoch_plan import WINDOW
from distilpose_keras.data.shards.index import Shard, ShardIndex
from distilpose_keras.data.shards.people import ShardedPeople
from distilpose_keras.data.shards.plan import plan_shards
from distilpose_keras.data.shards.store import open_store
from distilpose_keras.data.share import Share
from distilpose_keras.keypoints import COCO_17

PICTURES, SHARDS = 3000, 20


@pytest.fixture(scope="module")
def many():
    """7,500 people of 3,000 pictures in 20 shards of several sizes."""
    rng = np.random.default_rng(0)
    counts = rng.integers(1, 5, PICTURES)
    cuts = np.sort(rng.choice(np.arange(1, PICTURES), SHARDS - 1, replace=False))
    shards = [
        Shard(f"train-{n:06d}.tar", 0, part, np.zeros(len(part), np.int64))
        for n, part in enumerate(np.split(counts, cuts))
    ]
    index = ShardIndex(COCO_17, "people.json", shards)
    return ShardedPeople(open_store("nowhere"), index, buffer=1000)


def plan(people, process=0, processes=1, **options):
    defaults = {"seed": 3, "epoch": 0, "shuffle": True, "batch_size": 32}
    share = Share(process, processes, processes)
    return plan_shards(people, **{**defaults, **options}, share=share)


def shards_of(people, persons):
    return people.shard_of[people.picture_of[persons]]


@pytest.mark.parametrize("processes", [1, 2, 3, 20])
@pytest.mark.parametrize("batch_size", [1, 7, 32, 700])
@pytest.mark.parametrize("shuffle", [True, False])
def test_everyone_comes_once_whoever_is_asked(many, processes, batch_size, shuffle):
    options = {"batch_size": batch_size, "shuffle": shuffle}
    plans = [plan(many, n, processes, **options) for n in range(processes)]
    np.testing.assert_array_equal(np.sort(plans[0].order), np.arange(len(many)))
    for each in plans[1:]:
        np.testing.assert_array_equal(each.order, plans[0].order)
    together = np.unique(np.concatenate([each.own for each in plans]))
    np.testing.assert_array_equal(together, np.arange(len(many)))
    read = np.sort(np.concatenate([each.shards for each in plans]))
    np.testing.assert_array_equal(read, np.arange(SHARDS))  # each by one process


def test_a_process_prepares_people_of_its_own_shards(many):
    sizes = many.people_per_shard()
    for processes in (2, 4):
        for n in range(processes):
            found = plan(many, n, processes, batch_size=32)
            own = np.isin(shards_of(many, found.own), found.shards)
            # Shards differ: some people are left at the end, fewer than the largest.
            assert np.count_nonzero(~own) < sizes.max()
            assert own[: int(0.9 * len(own))].all()


def test_the_order_follows_from_seed_and_epoch(many):
    first = plan(many).order
    np.testing.assert_array_equal(plan(many).order, first)
    assert (plan(many, epoch=1).order != first).mean() > 0.9
    assert (plan(many, seed=4).order != first).mean() > 0.9
    # The order of the shards is drawn, and that of the people in each.
    orders = [plan(many, epoch=n).shards.tolist() for n in range(3)]
    assert orders[0] != orders[1] != orders[2] != orders[0]
    alone = ShardedPeople(many.store, ShardIndex(COCO_17, "", many.shards[:1]))
    assert (plan(alone).order != plan(alone, epoch=1).order).mean() > 0.9
    plain = plan(many, shuffle=False).order
    np.testing.assert_array_equal(plain, np.arange(len(many)))


def test_people_are_mixed_and_no_more_pictures_are_held_than_the_buffer_says(many):
    found = plan(many)
    by_place = np.argsort(np.argsort(found.shards)[many.shard_of], kind="stable")
    place = np.empty(PICTURES, int)
    place[by_place] = np.arange(PICTURES)
    pictures = many.picture_of[found.own]
    last = dict(zip(pictures, range(len(pictures)), strict=True))
    counts = np.diff(many.first_person)
    held, read, most = set(), 0, 0
    for n, picture in enumerate(pictures):
        while read <= place[picture]:
            held.add(by_place[read])
            read += 1
        most = max(most, counts[list(held)].sum())
        if last[picture] == n:
            held.remove(picture)
    assert not held
    assert most < many.buffer + WINDOW + 2 * 4
    # People of a batch are of many pictures, and these of a long stretch of the file.
    batches = pictures[: 234 * 32].reshape(234, 32)
    assert np.mean([len(np.unique(batch)) for batch in batches]) > 28
    assert np.median(np.ptp(place[batches], axis=1)) > 250


def test_a_buffer_for_all_mixes_all(many):
    whole = ShardedPeople(
        many.store, ShardIndex(COCO_17, "", many.shards), buffer=len(many)
    )
    pictures = many.picture_of[plan(whole).order]
    batches = pictures[: 234 * 32].reshape(234, 32)
    # 32 of 3,000 drawn at random span 2,800 on average.
    assert np.median(np.ptp(batches, axis=1)) > 2600


def test_a_picture_is_kept_until_its_last_person(many):
    for processes in (1, 2):
        found = plan(many, processes - 1, processes)
        mine = np.isin(found.order, found.own)
        pictures, keep = many.picture_of[found.own], found.keep[mine]
        for picture in (0, 5, 1000, 2999):
            assert keep[pictures == picture].tolist() == sorted(
                keep[pictures == picture].tolist(), reverse=True
            )
        assert np.count_nonzero(~keep) == len(np.unique(pictures))


def test_fewer_shards_than_processes(many):
    with pytest.raises(ValueError) as refused:
        plan(many, 0, 21)
    assert str(refused.value) == (
        "a training in 21 processes needs at least as many shards: pack smaller ones "
        "(`distilpose pack --people-per-shard`). Received: 20 in nowhere"
    )
