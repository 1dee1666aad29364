"""An index is read whole, or one line says what is wrong with it or its shards."""

import json

import pytest

from distilpose_keras.data.shards.index import read_index
from distilpose_keras.data.shards.store import open_store
from distilpose_keras.keypoints import COCO_17


def read(folder):
    return read_index(open_store(folder), "train")


def edit(folder, change):
    path = folder / "train-index.json"
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def refusal(folder):
    with pytest.raises(ValueError) as refused:
        read(folder)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_it_says_what_was_packed(people, packed_once):
    index = read(packed_once)
    assert index.schema == COCO_17
    assert index.source == "person_keypoints_train2017.json"
    assert sum(shard.people.sum() for shard in index.shards) == len(people)
    assert index.skipped == people.skipped


def test_a_folder_without_an_index(packed, tmp_path):
    (packed / "train-index.json").unlink()
    assert f"{packed}/train-index.json is missing" in refusal(packed)
    assert "is missing" in refusal(tmp_path / "nowhere")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 1}', "[" * 9])
def test_a_file_that_is_no_index(packed, content):
    (packed / "train-index.json").write_text(content)
    assert "train-index.json is damaged or no index" in refusal(packed)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda d: d.update(version=2), "version 1. Received: distilpose-shards, ver"),
        (lambda d: d.update(format="zip"), "of format distilpose-shards"),
        (lambda d: d.update(shards=None), "damaged"),
        (lambda d: d.pop("schema"), "damaged"),
        (lambda d: d["shards"][0].pop("bytes"), "damaged"),
        (lambda d: d["shards"][0]["people"].append(1), "how many people, at least one"),
        (lambda d: d["shards"][1]["people"].__setitem__(0, 0), "train-000001.tar"),
    ],
)
def test_an_index_of_something_else(packed, change, complaint):
    edit(packed, change)
    assert complaint in refusal(packed)


def test_a_shard_that_is_missing(packed):
    (packed / "train-000001.tar").unlink()
    assert refusal(packed) == f"shard is missing: {packed}/train-000001.tar"


def test_a_shard_that_is_cut_short(packed):
    path = packed / "train-000001.tar"
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:3000])
    assert refusal(packed) == (
        f"shard {path} must have {size} bytes, as its index says. Received: 3000"
    )
