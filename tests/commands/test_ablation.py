"""`distilpose ablation`: what is trained, and the table that is printed of it."""

import json

import pytest

from distilpose_keras.recipe import ablation, stages


@pytest.fixture
def trained(monkeypatch):
    """What is asked to be trained; two seeds of two rows have these APs."""
    asked = {}

    def run_table(table, splits, settings, *, seeds, progress):
        asked.update(table=table, splits=splits, settings=settings, seeds=list(seeds))
        return [
            {"labels": ["1"], "AP": [0.10, 0.14]},
            {"labels": ["2"], "AP": [0.2, 0.2]},
        ]

    def render_data(settings, options):
        asked["rendered"] = settings.synthetic["train_images"], options.out.as_posix()
        return "data"

    monkeypatch.setattr(ablation, "run_table", run_table)
    monkeypatch.setattr(stages, "render_data", render_data)
    monkeypatch.setattr(stages, "load_splits", lambda *arguments: arguments)
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        monkeypatch.setenv(name, "1")  # the command's own would outlive the test
    return asked


def test_rows_are_printed_as_mean_and_spread(command, trained, tmp_path, capsys):
    out = tmp_path / "table.json"
    arguments = ("--table", "B", "--images", 50, "--epochs", 3, "--limit", 9)
    assert command("ablation")(*arguments, "--json", out) == 0
    printed = capsys.readouterr().out
    assert "Table B:" in printed
    assert "12.0 ± 2.8" in printed  # of 10 and 14: sqrt(8)
    assert "20.0 ± 0.0" in printed
    assert json.loads(out.read_text())["rows"][0]["AP"] == [0.10, 0.14]
    assert trained["table"] is ablation.TABLES["B"]
    assert trained["rendered"] == (50, "runs/ablation/50_images")
    assert trained["splits"] == ("data", 9)
    assert trained["seeds"] == [0, 1]
    assert trained["settings"].teacher_training.epochs == 3


@pytest.mark.parametrize(
    "arguments", [["--table", "7"], ["--table", "4", "--seeds", 0]]
)
def test_mistakes_are_one_line(command, trained, mistake, arguments):
    assert command("ablation")(*arguments) == 2
    assert "argument --" in mistake()
    assert trained == {}
