"""The benchmarks that the documentation quotes."""

import json

import pytest

from distilpose_keras.benchmarks import all as everything
from distilpose_keras.benchmarks import runs
from distilpose_keras.commands.benchmark import KINDS
from tests.benchmarks.arguments import of

NAMES = [run.name for run in runs.RUNS]


def test_every_kind_is_run_and_names_are_their_own():
    assert {run.kind for run in runs.RUNS} == {*KINDS} - {"all"}
    assert len(set(NAMES)) == len(NAMES)


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("run", runs.RUNS, ids=NAMES)
def test_the_command_takes_the_arguments(run, quick, tmp_path, monkeypatch):
    for name in ("coco", "people_real"):
        (tmp_path / name).mkdir()
    for name in runs.PRESET_FILES:
        (tmp_path / name).write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    assert of(*run.words(quick)).kind == run.kind


def test_figures_that_were_carried_over_are_of_the_same_commands(root):
    document = json.loads((root / "docs" / "figures.json").read_text())
    kept = document["measured_by_hand"]
    both = [run for run in runs.RUNS if run.name in kept]
    assert both or document["runs"]
    for run in both:
        assert kept[run.name]["command"] == everything.command_line(run.words(False))


def test_a_kind_means_all_its_runs():
    names = [run.name for run in runs.chosen_runs(["video-no_finder", "finder"])]
    assert names == ["finder-coco", "finder-people_real", "video-no_finder"]
    assert runs.chosen_runs(None) == list(runs.RUNS)
    with pytest.raises(ValueError, match="--only knows latency, models, .*: vidoe"):
        runs.chosen_runs(["video", "vidoe"])


def test_what_a_run_lacks_is_said(tmp_path):
    run = runs.Run("a", "data --data coco", "", folder="coco", modules=("no_such",))
    assert run.lacks({"coco": None}) == "needs --coco DIR"
    assert run.lacks({"coco": tmp_path}) == "not installed: no_such"
    assert runs.Run("b", "soak", "").lacks({}) is None
