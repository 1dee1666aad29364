"""Both notebooks run from top to bottom, and are small."""

import re
import tempfile
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.conftest import ROOT

FOLDER = ROOT / "notebooks"
NAMES = sorted(path.stem for path in FOLDER.glob("*.ipynb"))
LARGEST_BYTES = 250_000
SECONDS = 600  # for a cell


@pytest.fixture(scope="module")
def executed():
    """Function that runs a notebook and returns the text that its cells print."""
    texts = {}

    def run(name):
        if name not in texts:
            notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
            where = {"metadata": {"path": str(FOLDER)}}
            NotebookClient(notebook, timeout=SECONDS, resources=where).execute()
            texts[name] = "".join(
                output.text
                for cell in notebook.cells
                for output in cell.get("outputs", [])
                if output.get("name") == "stdout"
            )
        return texts[name]

    return run


@pytest.mark.slow
def test_people_keep_their_numbers(executed):
    text = executed("predict_and_track")
    assert "(2, 17, 2) (2, 17)" in text
    assert re.search(r"every frame: numbers \[1, 2", text)
    assert re.search(r"every fifth: numbers \[1, 2", text)
    assert "['poses.csv', 'poses.json', 'poses.jsonl', 'walk.mp4']" in text


@pytest.mark.slow
def test_fine_tuning_teaches_the_users_own_keypoints(executed):
    text = executed("finetune_own_keypoints")
    assert "('head', 'chest', 'hips', 'feet') ()" in text
    before, after = map(
        float, re.search(r"AP (\S+) before, (\S+) after", text).groups()
    )
    assert before < 1 and after > 10
    (exported,) = re.findall(r"middle\.tflite: .* AP (\S+)\n", text)
    assert float(exported) == pytest.approx(after, abs=0.5)


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_small_and_knows_no_machine(name):
    text = (FOLDER / f"{name}.ipynb").read_text()
    assert len(text) < LARGEST_BYTES
    notebook = nbformat.reads(text, as_version=4)
    nbformat.validate(notebook)
    printed = [o for cell in notebook.cells for o in cell.get("outputs", [])]
    assert not [o for o in printed if o.get("name") == "stderr"]
    places = {tempfile.gettempdir(), str(Path.home()), str(ROOT)}
    assert not [place for place in places if f"{place}/" in text]


def test_the_site_and_the_readme_name_the_notebooks():
    for page in ("README.md", "docs/index.md"):
        text = (ROOT / page).read_text()
        assert all(f"notebooks/{name}.ipynb" in text for name in NAMES)
