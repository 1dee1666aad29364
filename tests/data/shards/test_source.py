"""Shards are read once, in order; out of it picture by picture, to the same batches."""

import threading
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from distilpose_keras.data.dataset import PoseDataset
from distilpose_keras.data.images import ImageError
from distilpose_keras.data.shards import source
from distilpose_keras.data.shards.people import load_shards
from distilpose_keras.data.shards.writer import pack_people
from distilpose_keras.data.share import Share
from distilpose_keras.training.loop import RestOfEpoch
from tests.data.conftest import SIZE

from .conftest import make

TWO = [Share(n, 2, 2) for n in range(2)]


def assert_same(batch, other):
    np.testing.assert_array_equal(batch[0], other[0])
    for name in ("keypoints", "weights"):
        np.testing.assert_array_equal(batch[1][name], other[1][name])


@pytest.fixture
def reads(monkeypatch):
    """Counts of the shards that were read from end to end, and of single pictures."""
    counts = {"shards": Counter(), "pictures": Counter()}
    read_shard, read_picture = source.read_shard, source.read_picture

    def counted_shard(store, shard, names):
        counts["shards"][shard.name] += 1
        return read_shard(store, shard, names)

    def counted_picture(store, shard, number, names):
        counts["pictures"][shard.name, int(number)] += 1
        return read_picture(store, shard, number, names)

    monkeypatch.setattr(source, "read_shard", counted_shard)
    monkeypatch.setattr(source, "read_picture", counted_picture)
    return counts


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("augmented", [True, False])
def test_crops_are_those_of_the_folder(people, sharded, workers, augmented):
    options = {"shuffle": False, "seed": 3}
    if not augmented:
        options["augmentation"] = None
    folder = make(people, **options)
    with make(sharded, workers=workers, **options) as batches:
        assert len(batches) == len(folder)
        for epoch in (0, 1):
            batches.set_epoch(epoch)
            folder.set_epoch(epoch)
            for i in range(len(folder)):
                assert_same(batches[i], folder[i])


def by_person(batches, order):
    """The samples of an epoch, by the person's position in the data set."""
    samples = [batches[i] for i in range(len(batches))]
    arrays = [np.concatenate([images for images, _ in samples])]
    arrays += [
        np.concatenate([targets[name] for _, targets in samples])
        for name in ("keypoints", "weights")
    ]
    assert len(arrays[0]) == len(order)
    return [array[np.argsort(order)] for array in arrays]


def test_a_mixed_epoch_is_of_the_same_samples(people, sharded):
    folder = make(people, seed=3)
    batches = make(sharded, seed=3)
    folder[0], batches[0]
    orders = folder._plan.order, batches._plan.order
    assert (orders[0] != orders[1]).any()
    for one, other in zip(
        by_person(folder, orders[0]), by_person(batches, orders[1]), strict=True
    ):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_epoch_reads_every_shard_once(sharded, reads, workers):
    with make(sharded, workers=workers) as batches:
        for epoch in (0, 1):
            batches.set_epoch(epoch)
            for i in range(len(batches)):
                batches[i]
    names = [shard.name for shard in sharded.shards]
    assert reads["shards"] == Counter(dict.fromkeys(names, 2))
    assert not reads["pictures"]


def test_two_processes_read_their_own_shards(sharded, reads):
    made, read = [], []
    for share in TWO:
        reads["shards"].clear()
        batches = make(sharded, augmentation=None)
        made.append([batches.part(i, share) for i in range(len(batches))])
        read.append(set(reads["shards"]))
        assert set(reads["shards"].values()) == {1}
    assert not read[0] & read[1]
    assert read[0] | read[1] == {shard.name for shard in sharded.shards}
    # Together they have everybody, whom a lone process has too.
    together = [targets["keypoints"] for parts in made for _, (_, targets) in parts]
    alone = make(sharded, augmentation=None, shuffle=False)
    expected = [alone[i][1]["keypoints"] for i in range(len(alone))]
    found = {tuple(row.ravel()) for part in together for row in part}
    assert found == {tuple(row.ravel()) for part in expected for row in part}
    sizes = [size for size, _ in made[0]]
    assert sizes == [size for size, _ in made[1]]
    assert sum(sizes) == len(sharded)


@pytest.mark.parametrize("workers", [1, 2])
def test_batches_are_the_same_in_any_order(sharded, reads, workers):
    whole = make(sharded, seed=3)
    expected = [whole[i] for i in range(len(whole))]
    with make(sharded, seed=3, workers=workers) as batches:
        for i in (2, 0, 1, 2, 4, 3, 0, 1, 5):
            assert_same(batches[i], expected[i])
        batches.close()
        for i in range(len(whole)):
            assert_same(batches[i], expected[i])


@pytest.mark.parametrize("first", [1, 3])
def test_a_resumed_epoch_goes_on_where_it_was(sharded, reads, first):
    whole = make(sharded, seed=3)
    whole.set_epoch(2)
    expected = [whole[i] for i in range(len(whole))]
    reads["shards"].clear()
    again = make(sharded, seed=3)
    again.set_epoch(2)
    rest = RestOfEpoch(again, first)
    for i in range(len(rest)):
        assert_same(rest[i], expected[first + i])
    # Only the batch that it begins with is read picture by picture.
    assert 1 <= len(reads["pictures"]) <= 4
    assert max(reads["shards"].values()) == 1


def test_what_is_over_is_not_read_again(sharded, reads):
    batches = make(sharded, shuffle=False)
    last = len(batches) - 2
    batches[last], batches[last + 1]
    assert 1 <= len(reads["shards"]) < len(sharded.shards) / 2


def test_an_epoch_that_is_begun_again_is_read_again(sharded, reads):
    batches = make(sharded)
    first = [batches[i] for i in range(len(batches))]
    for n, batch in enumerate(first):
        assert_same(batches[n], batch)
    assert not reads["pictures"]
    assert set(reads["shards"].values()) == {2}


def test_few_pictures_are_held(people, tmp_path, monkeypatch):
    monkeypatch.setattr("distilpose_keras.data.epoch_plan.WINDOW", 4)
    pack_people(people, tmp_path, "train", people_per_shard=4)
    batches = make(load_shards(tmp_path, "train", buffer=4), batch_size=2)
    held = []
    for i in range(len(batches)):
        batches[i]
        pictures = batches._maker.source._held.values()
        held.append(sum(len(picture.boxes_xywh) for picture in pictures))
    # The buffer, a window, and the people of a picture at each end.
    assert max(held) <= 4 + 4 + 2 * 4
    assert max(held) < len(people) / 2


def test_no_thread_stays(sharded):
    before = {*threading.enumerate()}
    with make(sharded) as batches:
        batches[0]
        batches[1]
    assert {*threading.enumerate()} <= before


@pytest.fixture
def bad(people, tmp_path):
    """Shards in which the third picture is cut short and the sixth is text."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for n, name in enumerate(people.image_files):
        content = (people.image_dir / name).read_bytes()
        content = {2: content[:2000], 5: b"text"}.get(n, content)
        (folder / name).write_bytes(content)
    moved = replace(people, image_dir=folder)
    pack_people(moved, tmp_path / "shards", "train", people_per_shard=4)
    return moved, load_shards(tmp_path / "shards", "train", buffer=6)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_picture_that_cannot_be_read_stops_and_is_named(bad, workers):
    _, sharded = bad
    with make(sharded, workers=workers, shuffle=False) as batches:
        with pytest.raises(ImageError) as refused:
            for i in range(len(batches)):
                batches[i]
        assert f"{sharded.store.label}/train-" in str(refused.value)
        assert str(refused.value).endswith("/000000002")
        assert "truncated" in str(refused.value)


@pytest.mark.parametrize("workers", [1, 2])
def test_pictures_that_cannot_be_read_are_skipped_as_in_a_folder(bad, workers):
    moved, sharded = bad
    options = {"skip_bad_images": True, "shuffle": False, "batch_size": 8}
    folder = make(moved, **options)
    with make(sharded, workers=workers, **options) as batches:
        for i in range(len(folder)):
            assert_same(batches[i], folder[i])
        found = sorted(name.rpartition("/")[2] for name in batches.bad_images)
        assert found == ["000000002", "000000005"]
        assert len(folder.bad_images) == 2


def test_skipping_is_the_same_in_two_processes(bad):
    _, sharded = bad
    options = {"skip_bad_images": True, "batch_size": 5, "seed": 2}
    plans, parts = [], []
    for share in TWO:
        batches = make(sharded, **options)
        parts.append([batches.part(i, share) for i in range(len(batches))])
        plans.append(batches._plan.order)
    np.testing.assert_array_equal(*plans)
    for (size, one), (_, other) in zip(*parts, strict=True):
        slots = [share.slots(size) for share in TWO]
        if slots[0].stop > slots[1].start:  # the sample in the middle is in both
            np.testing.assert_array_equal(one[0][-1], other[0][0])


@pytest.mark.parametrize("workers", [1, 2])
def test_a_shard_that_is_cut_short_stops_the_epoch(packed, workers):
    sharded = load_shards(packed, "train")
    path = packed / sharded.shards[2].name
    path.write_bytes(path.read_bytes()[:3000])
    with make(sharded, workers=workers) as batches:
        for _ in range(2):
            with pytest.raises(ValueError, match=f"{path}"):
                for i in range(len(batches)):
                    batches[i]
        assert f"{path}" in str(batches.failure)


def test_fewer_shards_than_processes_stop_it(sharded):
    batches = make(sharded)
    with pytest.raises(ValueError, match="needs at least as many shards"):
        batches.part(0, Share(0, len(sharded.shards) + 1, len(sharded.shards) + 1))


def test_shards_are_not_cached(sharded, tmp_path):
    with pytest.raises(ValueError, match="a cache is of a folder's people"):
        PoseDataset(sharded, batch_size=4, input_size=SIZE, cache=tmp_path)
