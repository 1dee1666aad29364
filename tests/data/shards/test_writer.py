"""What `pack_people` writes, read by nothing but tarfile and json."""

import json
import tarfile
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest

from distilpose_keras.data.images import ImageError
from distilpose_keras.data.shards import writer
from distilpose_keras.data.shards.people import load_shards
from distilpose_keras.data.shards.writer import pack_people


def samples_of(path):
    """Group a tar file as WebDataset does: by what is before the first dot."""
    samples = defaultdict(dict)
    with tarfile.open(path) as tar:
        for member in tar:
            key, _, kind = member.name.partition(".")
            samples[key][kind] = tar.extractfile(member).read()
    return list(samples.items())


def all_samples(folder):
    return [s for path in sorted(folder.glob("*.tar")) for s in samples_of(path)]


def test_a_sample_is_a_picture_as_it_is_and_its_people(people_dir, packed_once):
    path = people_dir / "annotations" / "person_keypoints_train2017.json"
    truth = json.loads(path.read_text())
    samples = all_samples(packed_once)
    assert [key for key, _ in samples] == sorted({key for key, _ in samples})
    assert len(samples) == len(truth["images"])
    for (_, sample), image in zip(samples, truth["images"], strict=True):
        file = people_dir / "train2017" / image["file_name"]
        assert set(sample) == {"jpg", "json"}
        assert sample["jpg"] == file.read_bytes()
        record = json.loads(sample["json"])
        assert record["image_id"] == image["id"]
        assert (record["width"], record["height"]) == (image["width"], image["height"])
        assert record["keypoint_names"] == truth["categories"][0]["keypoints"]
        theirs = [a for a in truth["annotations"] if a["image_id"] == image["id"]]
        for person, annotation in zip(record["people"], theirs, strict=True):
            assert person["id"] == annotation["id"]
            assert person["area"] == annotation["area"]
            np.testing.assert_allclose(person["bbox"], annotation["bbox"])
            np.testing.assert_allclose(
                person["keypoints"], annotation["keypoints"], rtol=1e-6
            )
            assert "keypoint_scores" not in person


def test_scores_of_keypoints_are_packed(people, tmp_path):
    confidences = np.full_like(people.confidences, 1)
    confidences[3, 5] = 0.25
    pack_people(replace(people, confidences=confidences), tmp_path, "train")
    samples = [json.loads(s["json"]) for _, s in all_samples(tmp_path)]
    scored = [p for s in samples for p in s["people"] if "keypoint_scores" in p]
    assert [p["id"] for p in scored] == [people.annotation_ids[3]]
    assert scored[0]["keypoint_scores"] == [1.0] * 5 + [0.25] + [1.0] * 11


def test_a_shard_is_closed_when_it_is_full(people, packed_once):
    counts = [
        sum(len(json.loads(s["json"])["people"]) for _, s in samples_of(path))
        for path in sorted(packed_once.glob("*.tar"))
    ]
    assert sum(counts) == len(people)
    assert all(4 <= count < 8 for count in counts[:-1])  # at most 4 in a picture
    index = json.loads((packed_once / "train-index.json").read_text())
    assert [sum(shard["people"]) for shard in index["shards"]] == counts


def test_shards_are_closed_by_their_size(people, tmp_path):
    pack_people(people, tmp_path, "train", shard_bytes=25_000)
    sizes = [path.stat().st_size for path in sorted(tmp_path.glob("*.tar"))]
    assert len(sizes) > 2
    assert min(sizes[:-1]) >= 25_000


def test_the_same_people_make_the_same_bytes(people, packed_once, tmp_path):
    pack_people(people, tmp_path, "train", people_per_shard=4)
    names = sorted(path.name for path in packed_once.iterdir())
    assert names == sorted(path.name for path in tmp_path.iterdir())
    for name in names:
        assert (tmp_path / name).read_bytes() == (packed_once / name).read_bytes()


def test_splits_share_a_folder_and_are_not_written_over(people, packed):
    before = (packed / "train-000000.tar").read_bytes()
    pack_people(people.limit(5), packed, "val")
    with pytest.raises(ValueError, match="holds shards of train"):
        pack_people(people.limit(5), packed, "train")
    assert (packed / "train-000000.tar").read_bytes() == before
    pack_people(people.limit(5), packed, "train", overwrite=True)
    assert len(load_shards(packed, "train")) == len(load_shards(packed, "val")) == 5
    assert len(list(packed.glob("train-*.tar"))) == 1  # of the ten before none stays


def test_what_a_killed_process_left_is_not_mixed_in(people, packed):
    (packed / "train-index.json").unlink()
    (packed / ".train-000007.partial-x.tar").touch()
    with pytest.raises(ValueError, match="holds shards of train"):
        pack_people(people, packed, "train")
    pack_people(people, packed, "train", overwrite=True)
    assert not list(packed.glob(".*"))


def test_a_missing_picture_leaves_nothing(people, tmp_path):
    there = people.image_files[:-1]
    gone = replace(people, image_files=[*there, "gone.jpg"])
    with pytest.raises(ImageError, match="gone.jpg"):
        pack_people(gone, tmp_path, "train", people_per_shard=4)
    assert not list(tmp_path.iterdir())


def test_an_index_that_cannot_be_written_leaves_nothing(people, tmp_path, monkeypatch):
    def full_disk(*_, **__):
        raise OSError("No space left on device")

    monkeypatch.setattr(writer.json, "dumps", full_disk)
    with pytest.raises(OSError, match="No space"):
        pack_people(people, tmp_path, "train")
    assert not list(tmp_path.iterdir())


def test_nobody_is_not_packed(people, tmp_path):
    with pytest.raises(ValueError, match="nobody to pack"):
        pack_people(people.limit(0), tmp_path, "train")


def test_pictures_of_other_formats_keep_their_suffix(people, tmp_path):
    files = ["a.b/1.PNG", "json.json", "none", *people.image_files[3:]]
    for n, name in enumerate(files):
        path = tmp_path / "pictures" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes([n]))
    moved = replace(people, image_dir=tmp_path / "pictures", image_files=files)
    pack_people(moved, tmp_path / "out", "train")
    samples = [sample for _, sample in all_samples(tmp_path / "out")]
    assert [sorted(sample) for sample in samples[:4]] == [
        ["json", "png"],
        ["jpg", "json"],
        ["jpg", "json"],
        ["jpg", "json"],
    ]
    assert json.loads(samples[0]["json"])["file_name"] == "a.b/1.PNG"
    assert len(load_shards(tmp_path / "out", "train")) == len(people)
