"""Folders of this machine and of fsspec hold the same."""

import sys

import fsspec
import numpy as np
import pytest

from distilpose_keras.data.shards.people import load_shards
from distilpose_keras.data.shards.store import open_store

from .conftest import make


@pytest.fixture
def in_memory(packed_once):
    files = fsspec.filesystem("memory")
    for path in packed_once.iterdir():
        files.pipe(f"/bucket/people/{path.name}", path.read_bytes())
    yield "memory://bucket/people"
    files.rm("/bucket", recursive=True)


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("where", ["file", "memory"])
def test_batches_are_the_same_from_everywhere(
    people, packed_once, in_memory, where, slash
):
    url = {"file": f"file://{packed_once}", "memory": in_memory}[where] + slash
    sharded = load_shards(url, "train")
    assert len(sharded) == len(people)
    here, there = (
        make(each, seed=3) for each in (load_shards(packed_once, "train"), sharded)
    )
    for i in range(len(here)):
        np.testing.assert_array_equal(there[i][0], here[i][0])


def test_a_folder_lists_its_files(packed_once, in_memory, tmp_path):
    expected = {path.name: path.stat().st_size for path in packed_once.iterdir()}
    for place in (packed_once, f"file://{packed_once}", in_memory):
        assert open_store(place).sizes() == expected
    for place in (tmp_path / "no", f"file://{tmp_path}/no", "memory://no"):
        assert open_store(place).sizes() == {}


def test_an_index_that_is_missing_far_away():
    with pytest.raises(ValueError, match="memory://no/train-index.json is missing"):
        load_shards("memory://no", "train")


def test_fsspec_is_asked_for_in_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec", None)
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(ModuleNotFoundError) as refused:
        load_shards("s3://bucket/people", "train")
    assert str(refused.value) == (
        's3://bucket/people needs fsspec: pip install "distilpose-keras[shards]"'
    )


def test_what_fsspec_lacks_is_asked_for(monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(ModuleNotFoundError, match="^s3://bucket needs .*s3fs"):
        open_store("s3://bucket")


class Refusing(fsspec.AbstractFileSystem):
    """A store that its client has no credentials for."""

    protocol = "refusing"

    def ls(self, path, detail=True, **_):
        raise RuntimeError("no credentials")

    def _open(self, path, *_, **__):
        raise RuntimeError("no credentials")


def test_what_a_client_raises_is_no_bug_of_ours():
    fsspec.register_implementation("refusing", Refusing, clobber=True)
    with pytest.raises(OSError, match="^refusing://x: RuntimeError: no credentials$"):
        load_shards("refusing://x", "train")
    with pytest.raises(OSError, match="no credentials"):
        open_store("refusing://x").open("train-000000.tar")


def test_an_unknown_protocol_is_the_users_mistake():
    with pytest.raises(ValueError, match="nope"):
        open_store("nope://bucket")


def test_a_local_folder_needs_no_fsspec(packed_once, monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec", None)
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    assert len(make(load_shards(packed_once, "train"))[0][0]) == 4
