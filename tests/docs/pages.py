"""Running the code blocks of the documentation, in a folder that has what they name."""

import re
import shlex

import cv2
import pytest

from distilpose_keras.benchmarks.video import write_clip
from distilpose_keras.commands.main import main
from distilpose_keras.synthetic import render_dataset
from distilpose_keras.synthetic.casting import UPRIGHT
from tests.conftest import ROOT

DOCS = ROOT / "docs"
BLOCK = re.compile(
    r"(?P<not_run><!-- not run: [^\n]+ -->\n+)?```(?P<kind>\w*)\n(?P<code>.*?)^```$",
    re.M | re.S,
)
PAGES = sorted(
    path.relative_to(DOCS).as_posix()
    for path in DOCS.rglob("*.md")
    if any(not b["not_run"] for b in BLOCK.finditer(path.read_text()))
)


def make_material(folder):
    """Write what the pages speak of; return the folder."""
    from distilpose_keras.models.model import build_model

    sizes = {"train_images": 20, "val_images": 20, "image_size": (240, 320)}
    render_dataset(folder / "people", **sizes, casting=UPRIGHT, workers=1)
    photo = next((folder / "people" / "val2017").iterdir())
    cv2.imwrite(str(folder / "photo.jpg"), cv2.imread(str(photo)))
    write_clip(folder / "walk.mp4", 12)
    build_model("demo_student").save(folder / "student.keras")
    build_model("demo_teacher").save(folder / "teacher.keras")
    return folder


def run_page(page):
    """Run the blocks of a page in the current folder; return the names they made."""
    names = {}
    for kind, code in blocks(page):
        if kind == "python":
            exec(code, names)
        elif kind == "sh":
            lines = code.replace("\\\n", " ").splitlines()
            for line in lines:
                run_line(line)
        else:
            assert kind in ("json", "text", "kotlin", "js"), f"a {kind!r} block: {page}"
    return names


def blocks(page):
    """(kind, code) of the blocks of a page that run."""
    found = BLOCK.finditer((DOCS / page).read_text())
    return [(b["kind"], b["code"]) for b in found if not b["not_run"]]


def run_line(line):
    """Run a line of a shell block, which must be one of our commands."""
    words = shlex.split(line, comments=True)
    assert words[0] == "distilpose", f"only our own commands run: {line}"
    with pytest.raises(SystemExit) as ended:
        main(words[1:])
    assert not ended.value.code, line
