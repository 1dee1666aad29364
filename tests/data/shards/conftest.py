"""The small data set, packed."""

import json

import cv2
import pytest
import recipe

from distilpose_keras.data.coco import load_people
from distilpose_keras.data.dataset import PoseDataset
from distilpose_keras.data.shards.people import load_shards
from distilpose_keras.data.shards.writer import pack_people
from tests.data.conftest import SIZE, annotation, coco_document

PER_SHARD = 4  # people: the last picture of a shard may bring some more


def make(people, **options):
    """A PoseDataset of small crops."""
    defaults = {"batch_size": 4, "input_size": SIZE, "image_dtype": "uint8"}
    return PoseDataset(people, **{**defaults, **options})


@pytest.fixture(scope="session")
def packed_once(people, tmp_path_factory):
    """Folder of the shards, which tests only read."""
    folder = tmp_path_factory.mktemp("shards")
    pack_people(people, folder, "train", people_per_shard=PER_SHARD)
    return folder


@pytest.fixture
def packed(people, tmp_path):
    """Folder of the shards, which a test may damage."""
    folder = tmp_path / "shards"
    pack_people(people, folder, "train", people_per_shard=PER_SHARD)
    return folder


@pytest.fixture
def sharded(packed_once):
    """The people of the shards, mixed within a few."""
    return load_shards(packed_once, "train", buffer=6)


@pytest.fixture
def crowded(tmp_path):
    """Five pictures; a crowd, someone without keypoints, and one without anybody."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    images = [(n, 60, 80) for n in (1, 2, 3, 4, 5)]
    for n, *size in images:
        cv2.imwrite(str(folder / f"{n}.jpg"), recipe.picture(*size, seed=n))
    entries = [
        annotation(7, (5, 5, 40, 40), 3),
        annotation(8, (5, 5, 30.5, 40.25), 1),
        annotation(9, (2, 2, 60, 50), 3, iscrowd=1),
        annotation(10, (5, 5, 20, 20), 3, keypoints=[0] * 51),
        annotation(11, (0, 0, 70, 50), 4),
        annotation(12, (0, 0, 70, 50), 5, iscrowd=1),
    ]
    path = tmp_path / "people.json"
    path.write_text(json.dumps(coco_document(entries, images)))
    return load_people(path, folder)
