"""The record of a run, and what becomes of a folder that is in use."""

import json
import sys

import keras
import pytest

from distilpose_keras.files import atomic_path, partial_prefix
from distilpose_keras.machine import git_revision
from distilpose_keras.training.run_record import check_run, open_run


def record(folder):
    return json.loads((folder / "run.json").read_text())


def test_the_record_has_the_command_configuration_versions_and_revision(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(sys, "argv", ["train.py", "--epochs", "3"])
    open_run(tmp_path / "run", {"epochs": 3, "sizes": (1, 2)})
    document = record(tmp_path / "run")
    assert document["config"] == {"epochs": 3, "sizes": [1, 2]}
    (start,) = document["starts"]
    assert start["command"] == ["train.py", "--epochs", "3"]
    assert start["backend"] == keras.backend.backend()
    assert start["versions"]["keras"] == keras.__version__
    assert start["git"] == git_revision()


def test_a_folder_in_use_is_refused(tmp_path):
    open_run(tmp_path, {})
    with pytest.raises(ValueError, match="is in use; --resume .* --overwrite"):
        open_run(tmp_path, {})


def test_an_empty_folder_is_used(tmp_path):
    assert open_run(tmp_path, {}) == tmp_path


def test_what_a_killed_process_had_begun_does_not_make_a_folder_used(tmp_path):
    (tmp_path / ".run-1x2y.json").touch()
    open_run(tmp_path, {"a": 1}, resume=True)
    assert record(tmp_path)["config"] == {"a": 1}


@pytest.mark.parametrize("started", [False, True])
def test_what_a_killed_process_had_begun_is_removed(tmp_path, started):
    """Files and folders under temporary names go; hidden files of others stay."""
    if started:
        open_run(tmp_path, {"a": 1})
    (tmp_path / ".gitignore").touch()
    folder = tmp_path / f"{partial_prefix('data')}1x2y"
    folder.mkdir()
    (folder / "picture.jpg").touch()
    with atomic_path(tmp_path / "log.csv") as file:
        open_run(tmp_path, {"a": 1}, resume=True)
        assert not folder.exists()
        assert not file.exists()
        file.touch()  # which the end of the block expects
    assert (tmp_path / ".gitignore").exists()


def test_another_process_checks_that_it_is_in_the_same_run(tmp_path):
    open_run(tmp_path, {"size": (1, 2)})
    check_run(tmp_path, {"size": (1, 2)})
    with pytest.raises(ValueError, match=r"otherwise: size \[1, 2\] -> \[1, 3\]"):
        check_run(tmp_path, {"size": (1, 3)})
    with pytest.raises(ValueError, match="all processes of a run need the same folder"):
        check_run(tmp_path / "elsewhere", {"size": (1, 2)})


def test_overwriting_removes_the_old_run(tmp_path):
    open_run(tmp_path, {"a": 1})
    (tmp_path / "old.txt").touch()
    open_run(tmp_path, {"a": 2}, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]
    assert record(tmp_path)["config"] == {"a": 2}


@pytest.mark.parametrize("how", ["resume", "overwrite"])
def test_a_folder_that_is_no_run_is_never_touched(tmp_path, how):
    (tmp_path / "photo.jpg").touch()
    with pytest.raises(ValueError, match="holds no run"):
        open_run(tmp_path, {}, **{how: True})
    assert (tmp_path / "photo.jpg").exists()


def test_resuming_adds_a_start(tmp_path):
    open_run(tmp_path, {"a": 1})
    (tmp_path / "kept.txt").touch()
    open_run(tmp_path, {"a": 1}, resume=True)
    assert len(record(tmp_path)["starts"]) == 2
    assert (tmp_path / "kept.txt").exists()


def test_a_run_is_not_resumed_with_other_settings(tmp_path):
    open_run(tmp_path, {"a": 1, "b": 2})
    with pytest.raises(ValueError, match="otherwise: a 1 -> 3, c None -> 4"):
        open_run(tmp_path, {"a": 3, "b": 2, "c": 4}, resume=True)


def test_a_run_may_go_on_under_another_strategy(tmp_path):
    open_run(tmp_path / "run", {"seed": 1, "strategy": "single"})
    open_run(tmp_path / "run", {"seed": 1}, resume=True)
    with pytest.raises(ValueError, match="seed 1 -> 2"):
        open_run(tmp_path / "run", {"seed": 2}, resume=True)


def test_a_damaged_record_is_named(tmp_path):
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(ValueError, match="run.json is not the record of a run"):
        open_run(tmp_path, {}, resume=True)
