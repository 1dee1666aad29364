"""README and documentation have the figures of `docs/figures.json`, and no others."""

import re

import pytest

from distilpose_keras.models.model import load_model
from distilpose_keras.preset_files import preset_file
from distilpose_keras.report.documentation import fill, read_figures
from distilpose_keras.report.figure_tables import TABLES
from tests.conftest import ROOT

FILE = ROOT / "docs" / "figures.json"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
NO_FIGURES = {"3.11", "2.0"}  # Python, the licence


@pytest.fixture(scope="module")
def figures():
    return read_figures(FILE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_has_the_figures_of_the_file(page, figures):
    text = page.read_text()
    assert fill(text, figures, TABLES) == (text, [])


def test_another_figure_is_noticed(figures):
    text = (ROOT / "README.md").read_text()
    for number in re.findall(r"[\w.,]+<!-- = ", text):
        wrong = text.replace(number, f"1{number}", 1)
        assert fill(wrong, figures, TABLES)[1], number


def test_every_figure_of_the_readme_has_a_source():
    text = (ROOT / "README.md").read_text()
    text = re.sub(r"```.*?```", "", text, flags=re.S)
    numbers = re.findall(r"\d[\d,]*\.\d+\b(?!<!-- = )", text)
    assert set(numbers) <= NO_FIGURES
    # The whole numbers that change with the code or the weights.
    marks = re.findall(r"\w<!-- = (.+?) -->", text)
    assert {"counted/models", "demonstration/seconds:minutes"} <= set(marks)


def test_no_mark_begins_a_line():
    # There a comment is a block of HTML, and ends the paragraph.
    for page in PAGES:
        assert not re.search(r"^\s*<!-- =", page.read_text(), re.M), page.name


def test_every_table_is_shown():
    shown = {
        n for p in PAGES for n in re.findall(r"<!-- figures: (\S+)", p.read_text())
    }
    assert shown == set(TABLES)


def test_what_is_kept_by_hand_says_whence(figures):
    for name, entry in figures.entries.items():
        assert entry["command"].split()[0] in ("distilpose", "python"), name
        assert re.match(r"20\d\d-\d\d-\d\d", entry["date"]), name
        assert entry["machine"] and entry["rows"], name


def test_the_presets_ap_is_the_one_in_its_own_file(figures):
    # Taken at the end of the training, before the weights were rounded to float16.
    ap = load_model(preset_file("distilpose_nano")).metadata["ap"]
    quoted = figures.value("distilpose_nano", "AP", model="distilpose_nano")
    assert quoted == pytest.approx(ap, abs=0.002)
