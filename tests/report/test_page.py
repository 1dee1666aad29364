"""The report page: self-contained, complete, safe, written whole or not at all."""

import base64
import re
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest

from distilpose_keras.report.page import Gallery, write_report

HISTORIES = {
    "student": {
        "loss": [3.0, 2.0, 1.0],
        "val_loss": [4.0, 2.0, 1.5],
        "val_AP": [0, 0.1],
    },
    "baseline": {"loss": [5.0, float("nan"), None]},
}
ROWS = [
    {
        "model": "student",
        "file": "student.keras",
        "AP": 0.5312,
        "AP75": -1,
        "params": 5364101,
        "bytes": 21_457_123,
        "latency_ms": 12.34,
    },
    {"model": "student", "file": "student_int8.tflite", "AP": None},
]


class Page(HTMLParser):
    """What a browser would see: texts, images, and references to elsewhere."""

    def __init__(self, text):
        super().__init__()
        self.cells, self.images, self.references, self.open = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag in ("td", "th"):
            self.cells.append("")
        if tag == "img":
            self.images.append(attributes["src"])
        self.references += [v for k, v in attributes.items() if k in ("src", "href")]
        if tag not in ("img", "meta"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("td", "th"):
            self.cells[-1] += data


def picture(value=120):
    return np.full((40, 60, 3), (value, 30, 90), np.uint8)


def decoded(source):
    """The picture behind a data URL, RGB."""
    kind, content = re.fullmatch(r"data:image/(png|jpeg);base64,(.*)", source).groups()
    flags = cv2.IMREAD_COLOR
    image = cv2.imdecode(np.frombuffer(base64.b64decode(content), np.uint8), flags)
    return image[..., ::-1]


@pytest.fixture
def page(tmp_path):
    def write(**changes):
        content = {"title": "A run", "histories": HISTORIES, "rows": ROWS, **changes}
        write_report(tmp_path / "report.html", **content)
        return Page((tmp_path / "report.html").read_text(encoding="utf-8"))

    return write


def test_the_page_needs_no_other_file(page):
    galleries = [Gallery("Predictions", "text", [("a", picture()), ("b", picture(9))])]
    found = page(galleries=galleries)
    assert not found.open  # every tag is closed
    assert len(found.images) == 3  # the curves and two pictures
    assert all(reference.startswith("data:") for reference in found.references)
    np.testing.assert_allclose(decoded(found.images[1])[5, 5], (120, 30, 90), atol=4)


def test_the_table_shows_what_the_rows_have(page):
    assert page().cells == [
        *("model", "file", "AP", "AP75", "parameters", "size", "latency"),
        *("student", "student.keras", "53.1", "–", "5,364,101", "21.46 MB", "12.3 ms"),
        *("student", "student_int8.tflite", "–", "–", "–", "–", "–"),
    ]


def test_texts_are_not_read_as_html(page):
    found = page(title="<b>& co", rows=[{"model": "<i>x</i>"}], histories={})
    assert found.cells == ["model", "<i>x</i>"]
    assert found.images == []


def test_an_unknown_column_is_refused_and_leaves_no_file(tmp_path):
    with pytest.raises(ValueError, match=r"Received: \['speed'\]"):
        write_report(tmp_path / "r.html", title="x", histories={}, rows=[{"speed": 1}])
    assert not list(tmp_path.iterdir())
