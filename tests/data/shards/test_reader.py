"""Shards are read as they were packed, or one line says which cannot be."""

import io
import json
import tarfile

import numpy as np
import pytest

from distilpose_keras.data.shards.index import read_index
from distilpose_keras.data.shards.reader import read_picture, read_shard
from distilpose_keras.data.shards.store import open_store
from distilpose_keras.keypoints import COCO_17

NAMES = COCO_17.names


def opened(folder):
    store = open_store(folder)
    return store, read_index(store, "train").shards


def rewrite(path, change):
    """Pack a shard anew with other contents; a change to None leaves a member out."""
    with tarfile.open(path) as tar:
        members = [(m.name, tar.extractfile(m).read()) for m in tar]
    with tarfile.open(path, "w") as tar:
        for name, content in members:
            content = change(name, content)
            if content is not None:
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))


def refusal(store, shard):
    with pytest.raises(ValueError) as refused:
        list(read_shard(store, shard, NAMES))
    assert f"{store.label}/{shard.name}" in str(refused.value)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_all_that_was_packed_comes_back(people, packed_once):
    store, shards = opened(packed_once)
    pictures = [p for shard in shards for p in read_shard(store, shard, NAMES)]
    assert [p.content for p in pictures] == [
        (people.image_dir / name).read_bytes() for name in people.image_files
    ]
    for name in ("boxes_xywh", "keypoints", "visibility", "confidences"):
        found = np.concatenate([getattr(p, name) for p in pictures])
        expected = getattr(people, name)
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)
    sizes = np.array([p.size for p in pictures])
    np.testing.assert_array_equal(sizes, people.image_sizes)
    assert pictures[0].name == f"{packed_once}/train-000000.tar/000000000"


def test_one_picture_is_read_where_it_begins(packed_once):
    store, shards = opened(packed_once)
    for shard in shards:
        for n, picture in enumerate(read_shard(store, shard, NAMES)):
            alone = read_picture(store, shard, n, NAMES)
            assert alone.content == picture.content and alone.name == picture.name


@pytest.mark.parametrize("keep", [0, 300, 700, 1024, 2500, -11_000])
def test_a_shard_that_is_cut_short_while_it_is_used(packed, keep):
    store, shards = opened(packed)
    path = packed / "train-000002.tar"
    path.write_bytes(path.read_bytes()[:keep])
    refusal(store, shards[2])
    with pytest.raises(ValueError, match="train-000002.tar"):
        read_picture(store, shards[2], len(shards[2].people) - 1, NAMES)


@pytest.mark.parametrize("end", [b"", bytes(1024)])
def test_a_shard_that_ends_after_a_whole_picture(packed, end):
    store, shards = opened(packed)
    shard = next(each for each in shards if len(each.people) > 1)
    path = packed / shard.name
    path.write_bytes(path.read_bytes()[: shard.offsets[-1]] + end)
    count = len(shard.people)
    assert f"must hold {count} pictures" in refusal(store, shard)
    with pytest.raises(ValueError, match=f"{shard.name} is cut short"):
        read_picture(store, shard, count - 1, NAMES)


def test_a_shard_that_is_removed_while_it_is_used(packed):
    store, shards = opened(packed)
    (packed / "train-000000.tar").unlink()
    assert "No such file" in refusal(store, shards[0])


def test_a_file_that_is_no_tar(packed):
    store, shards = opened(packed)
    (packed / "train-000000.tar").write_bytes(b"x" * 4096)
    assert "cut short or damaged" in refusal(store, shards[0])


def test_pictures_without_records_are_missing_ones(packed):
    store, shards = opened(packed)
    first = []

    def without_first(name, content):
        first.append(name)
        return None if name == first[0] else content

    rewrite(packed / shards[0].name, without_first)
    refusal(store, shards[0])


def test_a_picture_too_many(packed):
    store, shards = opened(packed)
    (packed / shards[0].name).write_bytes((packed / shards[1].name).read_bytes() * 2)
    refusal(store, shards[0])


def records(change):
    """A change of the JSON documents alone."""

    def changed(name, content):
        if not name.endswith(".json"):
            return content
        document = json.loads(content)
        change(document)
        return json.dumps(document).encode()

    return changed


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (
            lambda d: d.update(keypoint_names=["head", "tail", *NAMES[2:]]),
            r"must have the keypoints nose, left_eye, right_eye, ... \(17\), as its "
            r"index says. Received: head, tail, right_eye, ... \(17\)",
        ),
        (lambda d: d["people"][0]["keypoints"].pop(), "damaged"),
        (lambda d: d["people"][0]["bbox"].pop(), "damaged"),
        (lambda d: d["people"][0].update(keypoint_scores=[1.0]), "damaged"),
        (lambda d: d["people"][0].pop("bbox"), "damaged"),
        (lambda d: d["people"].append(d["people"][0]), "must have . people"),
        (lambda d: d.pop("width"), "damaged"),
    ],
)
def test_records_of_other_people(packed, change, complaint):
    store, shards = opened(packed)
    rewrite(packed / shards[1].name, records(change))
    with pytest.raises(ValueError, match=complaint) as refused:
        list(read_shard(store, shards[1], NAMES))
    assert "train-000001.tar/" in str(refused.value)
