"""People of a folder and of shards are asked for in the same way."""

import numpy as np

from distilpose_keras.data.people_source import FolderSource, source_of
from distilpose_keras.data.shards.people import load_shards
from distilpose_keras.data.shards.source import ShardSource
from distilpose_keras.data.shards.writer import pack_people


def test_a_folder_and_its_shards_say_the_same_of_people(people, tmp_path):
    pack_people(people, tmp_path, "train", people_per_shard=6)
    folder, shards = source_of(people), source_of(load_shards(tmp_path, "train"))
    assert isinstance(folder, FolderSource) and isinstance(shards, ShardSource)
    indices = np.array([7, 2, 3, 11])
    keep = np.array([True, False, True, False])
    one, other = folder.request(indices, keep), shards.request(indices, keep)
    for name in ("boxes_xywh", "keypoints", "visibility", "confidences", "sizes"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert one.contents is None
    for path, content in zip(one.paths, other.contents, strict=True):
        with open(path, "rb") as file:
            assert file.read() == content
    np.testing.assert_array_equal(folder.pictures(indices), shards.pictures(indices))
    assert [folder.picture_name(n) for n in indices] == one.paths
    assert [shards.picture_name(n) for n in indices] == other.paths


def test_some_of_a_request(people):
    source = source_of(people)
    indices, keep = np.array([7, 2, 3]), np.array([True, False, True])
    some = source.request(indices, keep).take(np.array([2, 0]))
    expected = source.request(indices[[2, 0]], keep[[2, 0]])
    assert some.paths == expected.paths and some.contents is None
    for name in ("indices", "boxes_xywh", "keypoints", "keep", "sizes"):
        np.testing.assert_array_equal(getattr(some, name), getattr(expected, name))
