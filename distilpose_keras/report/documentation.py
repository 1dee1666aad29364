"""The figures of the documentation, filled in from a file of measurements.

A page has a comment behind a number, ``1.87<!-- = predict/workers=2/ratio -->``, or
comments around a table, ``<!-- figures: tracking -->`` and ``<!-- /figures -->``; both
are seen by nobody who reads the page. What stands behind ``=`` is the name of a
benchmark, values that its row has, the key, and after a colon a unit of `UNITS`, if
there is one: ``34.8<!-- = distilpose_nano/AP:points -->``. A number keeps the digits
that it has behind the point; ``6:43`` are minutes and seconds, and ``seven`` stays a
word.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from distilpose_keras.types import FilePath

PATTERN = re.compile(
    r"(?P<shown>-?\w[\w.,:]*)<!-- = (?P<where>[^\n]+?) -->"
    r"|<!-- figures: (?P<table>\S+) -->\n(?P<body>(?:(?!<!-- figures: ).)*?)"
    r"<!-- /figures -->",
    re.S,
)
MARK = re.compile(r"<!-- (=|/?figures)")
UNITS = {"": 1, "points": 100, "M": 1e-6, "minutes": 1 / 60, "M/day": 0.0864}
WORDS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
    *("ten", "eleven", "twelve"),
)


class Difference(NamedTuple):
    """A place of a page that is not what the file gives.

    Attributes:
        line: of the page, from 1.
        message: what stands there, and what should.
    """

    line: int
    message: str


class Figures:
    """Rows by name.

    What `distilpose benchmark all` has measured (``runs``) comes before what is kept by
    hand under the same name (``measured_by_hand``); runs with ``--quick`` never count.

    Attributes:
        entries: dict from name to a dict with ``rows``, ``command``, ``date`` and
            ``machine``.
    """

    def __init__(
        self, document: dict[str, Any], counted: list[dict[str, Any]] | None = None
    ) -> None:
        """Take a document and rows that the library itself knows.

        Args:
            document: see `distilpose_keras.benchmarks.all`.
            counted: rows of the name ``counted``.
        """
        machine = document.get("machine") or {}
        described = f"{machine.get('cpu')}, {machine.get('cores')} cores"
        self.entries = {
            **document.get("measured_by_hand", {}),
            **{
                name: {"machine": described, **entry}
                for name, entry in document.get("runs", {}).items()
                if "rows" in entry and not entry.get("quick")
            },
        }
        self._counted = {"counted": {"rows": counted or []}}

    def row(self, name: str, key: str, **wanted: Any) -> dict[str, Any]:
        """Return the one row of a name that has a key and those values.

        Raises:
            ValueError: if there is no such name, or not exactly one such row.
        """
        entries = {**self.entries, **self._counted}
        if name not in entries:
            raise ValueError(f"no figures are named {name!r}")
        texts = {field: str(value) for field, value in wanted.items()}
        rows = [
            row
            for row in entries[name]["rows"]
            if key in row and all(str(row.get(f)) == t for f, t in texts.items())
        ]
        if len(rows) != 1:
            raise ValueError(f"{name}: {len(rows)} rows have {key!r} and {texts}")
        return rows[0]

    def value(self, name: str, key: str, **wanted: Any) -> Any:
        """Return the value of a key, see `row`."""
        return self.row(name, key, **wanted)[key]

    def text(self, where: str, like: str) -> str:
        """Return a figure as it is written.

        Args:
            where: what stands behind the number, see the module.
            like: the number that stands there.

        Raises:
            ValueError: if it says nothing, or not exactly one figure is meant.
        """
        path, _, unit = where.partition(":")
        parts = path.split("/")
        if len(parts) < 2 or not all("=" in part for part in parts[1:-1]):
            raise ValueError(f"expected NAME/FIELD=VALUE/.../KEY. Received: {where}")
        if unit not in UNITS:
            raise ValueError(f"expected a unit of {', '.join(UNITS)}. Received: {unit}")
        wanted = dict(part.split("=", 1) for part in parts[1:-1])
        value = self.value(parts[0], parts[-1], **wanted)
        return written(value * UNITS[unit], like)


def written(value: float, like: str) -> str:
    """Return a number as text.

    Args:
        value: the number.
        like: a text of the same kind.

    Raises:
        ValueError: if there is no word for the number.
    """
    if ":" in like:
        return "{}:{:02}".format(*divmod(round(value), 60))
    if not like.isalpha():
        return f"{value:,.{len(like.partition('.')[2])}f}"
    if not 0 <= round(value) < len(WORDS):
        raise ValueError(f"no word for {value}")
    return WORDS[round(value)]


def fill(
    text: str, figures: Figures, tables: dict[str, Callable[[Figures], str]]
) -> tuple[str, list[Difference]]:
    """Return a page with the file's figures, and where it had others.

    Places that name no figure stay as they are, and are among the differences.

    Args:
        text: of the page.
        figures: those of the file.
        tables: function of the figures that returns a table, by name.
    """
    places = list(PATTERN.finditer(text))
    found, filled, end = [], [], 0
    for place in places:
        what = "shown" if place["table"] is None else "body"
        old = new = place[what]
        try:
            new = _expected(place, figures, tables)
            problem = "" if new == old else _wrong(place, new)
        except (KeyError, TypeError, ValueError) as error:  # or no number
            problem = f"no figures for {place['where'] or place['table']}: {error}"
        if problem:
            found.append((place.start(), problem))
        filled += [text[end : place.start(what)], new]
        end = place.end(what)
    for mark in MARK.finditer(text):
        if not any(place.start() <= mark.start() < place.end() for place in places):
            found.append((mark.start(), "a mark without its number, start or end"))
    differences = [
        Difference(text.count("\n", 0, at) + 1, message)
        for at, message in sorted(found)
    ]
    return "".join([*filled, text[end:]]), differences


def _expected(place, figures, tables):
    """What should stand at a place."""
    if place["table"] is None:
        return figures.text(place["where"], place["shown"])
    if place["table"] not in tables:
        raise ValueError(f"no such table; there are {', '.join(tables)}")
    return f"\n{tables[place['table']](figures)}\n"


def _wrong(place, new):
    """What is wrong at a place."""
    if place["table"] is None:
        return f"{place['shown']} should be {new}: {place['where']}"
    return f"the table {place['table']} should be another one"


def read_figures(path: FilePath) -> Figures:
    """Return the figures of a file, and what is counted of the library itself.

    Raises:
        ValueError: if the file is not one of measurements.
    """
    try:
        return Figures(json.loads(Path(path).read_text()), counted())
    except (ValueError, AttributeError, TypeError) as error:
        raise ValueError(f"{path} holds no measurements: {error}") from error


def counted() -> list[dict[str, Any]]:
    """Return what changes with the code alone: models, and parameters of the preset."""
    from distilpose_keras.detection import PRESET
    from distilpose_keras.models.presets import FIGURES, MODELS
    from distilpose_keras.preset_files import preset_names
    from distilpose_keras.profiling.files import profile_file

    return [
        {"models": len(MODELS)},
        {"finder_params": profile_file(str(PRESET)).total_params},
        *(
            {"preset": name, "params": FIGURES[name].trainable_params}
            for name in preset_names()
        ),
    ]
