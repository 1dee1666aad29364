"""`distilpose pack`: what it writes and says, and one line on mistakes."""

import json
import shutil

import pytest

from distilpose_keras.data.coco import coco_paths, load_people
from distilpose_keras.data.shards.people import load_shards


@pytest.fixture
def pack(command):
    return command("pack")


def test_both_splits(pack, data, tmp_path, capsys):
    out = tmp_path / "shards"
    assert pack("--data", data, "--out", out, "--people-per-shard", 5) == 0
    printed = capsys.readouterr().out.splitlines()
    for line, split in zip(printed, ("train", "val"), strict=False):
        people = load_people(*coco_paths(data, split))
        shards = sorted(out.glob(f"{split}-*.tar"))
        size = sum(path.stat().st_size for path in shards) / 1e6
        assert line == (
            f"{split}: {people.summary()}: {len(shards)} shards, {size:.1f} MB"
        )
        assert len(load_shards(out, split)) == len(people)
    assert printed[2:] == [f"wrote {out}"]
    assert len(list(out.glob("train-*.tar"))) > 2
    expected = {"train-index.json", "val-index.json", "val-annotations.json"}
    assert {path.name for path in out.iterdir() if path.suffix != ".tar"} == expected


def test_one_split_by_size(pack, data, tmp_path):
    out = tmp_path / "shards"
    arguments = ["--data", data, "--out", out, "--split", "train"]
    assert pack(*arguments, "--shard-mb", "0.05") == 0
    sizes = [path.stat().st_size for path in sorted(out.glob("*.tar"))]
    assert len(sizes) > 1 and min(sizes[:-1]) >= 50_000
    assert not list(out.glob("val-*"))


def test_a_folder_in_use_is_left_as_it_is(pack, data, tmp_path, mistake):
    out = tmp_path / "shards"
    assert pack("--data", data, "--out", out, "--split", "val") == 0
    before = {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
    assert pack("--data", data, "--out", out) == 2
    assert f"{out} holds shards of val (val-index.json)" in mistake()
    assert before == {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
    assert pack("--data", data, "--out", out, "--overwrite") == 0
    assert len(load_shards(out, "train")) > len(load_shards(out, "val"))


def test_a_picture_that_is_missing(pack, data, tmp_path, mistake):
    copy, out = tmp_path / "data", tmp_path / "out"
    shutil.copytree(data, copy)
    document = json.loads(
        (copy / "annotations" / "person_keypoints_train2017.json").read_text()
    )
    name = document["images"][2]["file_name"]
    (copy / "train2017" / name).unlink()
    assert pack("--data", copy, "--out", out) == 2
    assert name in mistake()
    assert not out.exists() or not list(out.iterdir())


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        (["--people-per-shard", 0], "must be at least 1"),
        (["--shard-mb", 0], "must be above 0"),
        (["--shard-mb", 1, "--people-per-shard", 1], "not allowed with"),
        (["--split", "test"], "invalid choice"),
    ],
)
def test_mistakes_are_one_line(pack, data, tmp_path, mistake, more, complaint):
    assert pack("--data", data, "--out", tmp_path / "out", *more) == 2
    assert complaint in mistake()
    assert not (tmp_path / "out").exists()


def test_a_folder_of_something_else(pack, tmp_path, mistake):
    (tmp_path / "empty").mkdir()
    assert pack("--data", tmp_path / "empty", "--out", tmp_path / "out") == 2
    assert "annotation file does not exist" in mistake()
    assert pack("--data", tmp_path / "gone", "--out", tmp_path / "out") == 2
