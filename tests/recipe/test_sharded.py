"""What a run does with shards in place of a folder."""

import shutil

import numpy as np
import pytest

from distilpose_keras.data.coco import coco_paths, load_people
from distilpose_keras.data.dataset import PoseDataset
from distilpose_keras.data.shards.people import load_shards
from distilpose_keras.data.shards.writer import pack_people
from distilpose_keras.recipe import stages
from distilpose_keras.recipe.options import RunOptions
from distilpose_keras.recipe.sharded import (
    holds_shards,
    load_unpacked_val,
    open_shards,
    sharded_crops,
    unpack_val,
)


@pytest.fixture(scope="module")
def shards(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards")
    for split in ("train", "val"):
        people = load_people(*coco_paths(data, split))
        pack_people(
            people, folder, split, people_per_shard=8, annotations=split == "val"
        )
    return folder


def test_shards_are_told_from_a_folder(data, shards, tmp_path):
    assert holds_shards(shards)
    assert holds_shards("s3://bucket/people")
    assert not holds_shards(data)
    assert not holds_shards(None)
    assert not holds_shards(tmp_path)
    # What a killed `pack` left is to be called so, not a folder without annotations.
    shutil.copy(shards / "train-000000.tar", tmp_path)
    assert holds_shards(tmp_path)


def test_val_is_unpacked_once(data, shards, tmp_path):
    options = RunOptions(tmp_path, data=shards)
    people, val_people = open_shards(options)
    assert len(people) == len(load_people(*coco_paths(data, "train")))
    for _ in range(2):
        unpack_val(val_people, options)
    found = load_unpacked_val(people, options)
    expected = load_people(*coco_paths(data, "val"))
    np.testing.assert_array_equal(found.keypoints, expected.keypoints)
    assert found.schema == people.schema


@pytest.mark.parametrize(
    ("name", "value"), [("limit", 3), ("category", "dog"), ("flip_pairs", ((1, 2),))]
)
def test_what_shards_cannot_do_is_refused(shards, tmp_path, name, value):
    options = RunOptions(tmp_path, data=shards, **{name: value})
    with pytest.raises(ValueError, match=f"--{name.replace('_', '-')} is for a folder"):
        open_shards(options)


def test_val_without_annotations_is_refused_at_once(shards, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(shards, copy)
    (copy / "val-annotations.json").unlink()
    with pytest.raises(ValueError, match="val-annotations.json is missing"):
        open_shards(RunOptions(tmp_path / "out", data=copy))


def test_calibration_is_on_crops_of_the_shards(data, shards, student):
    people = load_shards(shards, "train")
    crops = sharded_crops(people, student)
    folder = PoseDataset(
        load_people(*coco_paths(data, "train")),
        batch_size=100,
        input_size=student.pose_config.input_size,
        geometry=student.pose_config.geometry,
        augmentation=None,
        image_dtype="uint8",
    )
    expected, _ = folder[0]
    assert crops.shape == expected.shape and crops.dtype == np.uint8
    order = [each.reshape(len(each), -1).sum(axis=1) for each in (crops, expected)]
    np.testing.assert_array_equal(*(np.sort(each) for each in order))


def test_stages_take_shards(shards, student, tmp_path, monkeypatch):
    people = load_shards(shards, "train")
    assert stages.without_images(people, {"anything"}) is people
    seen = []
    written = lambda student, path, **kwargs: seen.append(kwargs["calibration"])  # noqa: E731
    monkeypatch.setattr(stages, "FILES", {"a.onnx": (written, "int8")})
    stages.export_files(student, people, tmp_path)
    assert len(seen[0]) == len(people)
