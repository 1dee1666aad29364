"""`tools/figures.py` fills pages, or says what differs."""

import json

import pytest

from distilpose_keras.commands.main import script


@pytest.fixture
def figures(tmp_path, monkeypatch):
    """Run it in a folder with a README, a page and the file; return the exit code."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["tools/figures.py"])
    entry = {"command": "c", "date": "2026-11-26", "machine": "m", "rows": [{"a": 5}]}
    (tmp_path / "docs" / "more").mkdir(parents=True)
    (tmp_path / "docs" / "figures.json").write_text(
        json.dumps({"measured_by_hand": {"x": entry}})
    )
    (tmp_path / "README.md").write_text("4<!-- = x/a -->\n")
    (tmp_path / "docs" / "more" / "page.md").write_text("\n6<!-- = x/a -->\n")

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            script("figures", *arguments)
        return ended.value.code

    return run


def test_a_check_writes_nothing(figures, tmp_path, capsys):
    assert figures("--check") == 1
    assert capsys.readouterr().err.splitlines() == [
        "README.md:1: 4 should be 5: x/a",
        "docs/more/page.md:2: 6 should be 5: x/a",
    ]
    assert (tmp_path / "README.md").read_text() == "4<!-- = x/a -->\n"


def test_pages_are_filled(figures, tmp_path, capsys):
    assert figures() == 0
    assert capsys.readouterr() == ("README.md: filled\ndocs/more/page.md: filled\n", "")
    assert (tmp_path / "README.md").read_text() == "5<!-- = x/a -->\n"
    assert figures("--check") == 0 and figures() == 0
    assert capsys.readouterr() == ("", "")


def test_models_are_drawn_beside_the_file(figures, tmp_path):
    path = tmp_path / "docs" / "figures.json"
    document = json.loads(path.read_text())
    row = {"model": "a", "family": "A", "ms": 5.0, "paper_ap": 70.0}
    document["runs"] = {"models": {"command": "c", "date": "2026", "rows": [row]}}
    path.write_text(json.dumps(document))
    chart = tmp_path / "docs" / "latency.png"
    figures("--check")
    figures("README.md")
    assert not chart.exists()
    figures()
    assert chart.read_bytes().startswith(b"\x89PNG")


def test_a_place_without_a_figure_is_a_failure(figures, tmp_path, capsys):
    (tmp_path / "README.md").write_text("4<!-- = y/a -->\n")
    assert figures("README.md") == 1
    error = capsys.readouterr().err
    assert error == "README.md:1: no figures for y/a: no figures are named 'y'\n"


def test_mistakes_are_one_line(figures, mistake):
    assert figures("--file", "gone.json") == 2
    assert "gone.json" in mistake()
    assert figures("gone.md") == 2
    assert "gone.md" in mistake()
