"""`distilpose models`: every named model, for people, pages and programs."""

import json

import pytest

from distilpose_keras import preset_files
from distilpose_keras.models.presets import MODELS


@pytest.fixture
def models(command, capsys):
    """Run the command; return its output."""
    run = command("models")

    def call(*arguments):
        assert run(*arguments) == 0
        return capsys.readouterr().out

    return call


def test_the_table_has_every_model_whole(models):
    printed = models()
    lines = {line.split("│")[1].strip(): line for line in printed.splitlines()[3:-1]}
    assert list(lines) == list(MODELS)
    cells = [cell.strip() for cell in lines["distilpose_s"].strip("│").split("│")]
    assert cells == ["distilpose_s", "DistilPose", "5.36 M", "2.705", "71.6", "–"]


def test_what_only_training_needs_is_counted_apart(models):
    (line,) = [x for x in models("--markdown").splitlines() if "| rle_resnet50 |" in x]
    assert line == "| rle_resnet50 | RLE | 23.65 M + 0.05 | 4.004 | 70.5 | – |"


def test_markdown_is_a_table_for_the_docs(models):
    heading, rule, *lines = models("--markdown").splitlines()
    assert heading == "| model | family | parameters | GMACs | AP | weights |"
    assert rule.count("|") == heading.count("|") == lines[0].count("|")
    assert lines[1] == "| distilpose_l | DistilPose | 21.27 M | 10.61 | 74.4 | – |"
    assert len(lines) == len(MODELS)


def test_json_has_the_figures_and_the_weights_at_hand(models, tmp_path, monkeypatch):
    monkeypatch.setattr(preset_files, "FOLDER", tmp_path)
    (tmp_path / "demo_student.keras").write_bytes(b"weights")
    written = tmp_path / "models.json"
    assert models("--json", written).count("yes") == 1
    rows = {row["model"]: row for row in json.loads(written.read_text())}
    assert rows["demo_student"] == {
        "model": "demo_student",
        "family": "DistilPose",
        "trainable_params": 158325,
        "gmacs": 0.006113,
        "paper_params_m": None,
        "paper_gflops": None,
        "paper_ap": None,
        "loss_params": 0,
        "weights": str(tmp_path / "demo_student.keras"),
    }
    assert rows["hrnet_w32"]["weights"] is None
