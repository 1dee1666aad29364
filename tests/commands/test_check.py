"""`distilpose check`: a table, JSON, a page, and an exit code."""

import json

import pytest

from tests.checking.conftest import Data


@pytest.fixture
def people(tmp_path):
    folder = tmp_path / "people"
    folder.mkdir()
    return Data(folder)


@pytest.fixture
def run(command):
    return command("check")


def test_a_correct_data_set_exits_with_0(people, run, capsys):
    assert run(people.folder) == 0
    out = capsys.readouterr().out
    assert "no serious problem; 17 pictures opened" in out
    assert "train: 12 people (12 with keypoints) in 12 pictures" in out


def test_a_serious_problem_exits_with_1_and_is_written(people, run, capsys, tmp_path):
    people.picture("val", 102).unlink()
    files = tmp_path / "out" / "check.json", tmp_path / "out" / "check.html"
    assert run(people.folder, "--json", files[0], "--html", files[1]) == 1
    assert "pictures missing" in capsys.readouterr().out
    figures = json.loads(files[0].read_text())
    (problem,) = figures["problems"]
    assert problem["kind"] == "pictures missing"
    assert (problem["split"], problem["count"], problem["of"]) == ("val", 1, 5)
    assert "102.jpg" in problem["examples"][0]
    assert "pictures missing" in files[1].read_text()
    assert run(people.folder, "--split", "train") == 0
    assert run(people.folder, "--no-pictures") == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "no such folder: nowhere"),
        ([".", "--workers", "0"], "--workers: must be at least 1"),
        ([".", "--flip-pairs", "left"], "--flip-pairs: must be pairs such as"),
    ],
)
def test_mistakes_are_one_line(run, mistake, arguments, said):
    assert run(*arguments) == 2
    assert said in mistake()
