"""Unpacked shards score as the folder that was packed."""

import numpy as np
import pytest

from distilpose_keras.data.coco import coco_paths, load_people
from distilpose_keras.data.shards.people import load_shards
from distilpose_keras.data.shards.unpack import check_evaluable, unpack_shards
from distilpose_keras.data.shards.writer import pack_people
from distilpose_keras.data.truth import truth_document


def unpacked(people, folder):
    pack_people(people, folder / "shards", "val", people_per_shard=1, annotations=True)
    shards = load_shards(folder / "shards", "val")
    unpack_shards(shards, folder / "out", "val")
    return load_people(*coco_paths(folder / "out", "val"), schema=people.schema)


def test_people_pictures_and_whom_scores_ignore_are_the_same(crowded, tmp_path):
    found = unpacked(crowded, tmp_path)
    assert len(found) == len(crowded) == 3
    for name in ("boxes_xywh", "keypoints", "visibility", "areas"):
        np.testing.assert_array_equal(getattr(found, name), getattr(crowded, name))
    for n in range(3):
        assert found[n].image_id == crowded[n].image_id
        assert found[n].image_path.read_bytes() == crowded[n].image_path.read_bytes()
    (one, complete), (other, whole) = truth_document(crowded), truth_document(found)
    assert complete and whole

    def described(document):
        return [{**entry, "id": None} for entry in document["annotations"]]

    # Of the pictures that somebody scored is in; in the fifth there is a crowd alone.
    assert described(other) == [e for e in described(one) if e["image_id"] != 5]
    assert sum(entry["iscrowd"] for entry in other["annotations"]) == 1


@pytest.mark.backend
def test_scores_are_those_of_the_folder(data, student, tmp_path):
    from distilpose_keras.evaluation import evaluate

    people = load_people(*coco_paths(data, "val"))
    expected = evaluate(student, people)
    found = evaluate(student, unpacked(people, tmp_path))
    assert {**found, "seconds": 0} == {**expected, "seconds": 0}


def test_shards_without_annotations_cannot_be_scored(crowded, tmp_path):
    pack_people(crowded, tmp_path / "shards", "val")
    shards = load_shards(tmp_path / "shards", "val")
    with pytest.raises(ValueError, match="val-annotations.json is missing"):
        check_evaluable(shards, "val")
    with pytest.raises(ValueError, match="val-annotations.json is missing"):
        unpack_shards(shards, tmp_path / "out", "val")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", ["", "[]", '{"images": [{}]}', '{"images": []}'])
def test_annotations_of_something_else(crowded, tmp_path, content):
    pack_people(crowded, tmp_path / "shards", "val", annotations=True)
    (tmp_path / "shards" / "val-annotations.json").write_text(content)
    with pytest.raises(ValueError, match=r"val-annotations.json( is damaged|\. Rec)"):
        unpack_shards(load_shards(tmp_path / "shards", "val"), tmp_path / "out", "val")
    assert not (tmp_path / "out").exists()


def test_no_picture_is_written_elsewhere(crowded, tmp_path):
    pack_people(crowded, tmp_path / "shards", "val", annotations=True)
    path = tmp_path / "shards" / "val-annotations.json"
    path.write_text(path.read_text().replace("000000000.jpg", "../000000000.jpg"))
    unpack_shards(load_shards(tmp_path / "shards", "val"), tmp_path / "out", "val")
    assert not (tmp_path / "out" / "000000000.jpg").exists()
