"""What a check found: problems, counted, each with examples."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

EXAMPLES = 8  # kept of a problem, the worst ones


@dataclass(frozen=True)
class Example:
    """One case of a problem.

    Attributes:
        text: which file, picture or person, and what is wrong.
        picture: the picture's file, if there is one to look at.
        size: (height, width) by the annotations, of a person's picture.
        box_xywh: (4,) pixels, for a person.
        keypoints: (K, 2) pixels, for a person.
        visibility: (K,), for a person.
    """

    text: str
    picture: Path | None = None
    size: tuple[int, int] | None = None
    box_xywh: np.ndarray | None = None
    keypoints: np.ndarray | None = None
    visibility: np.ndarray | None = None


@dataclass(frozen=True)
class Problem:
    """A kind of problem in one split.

    Attributes:
        kind: what is wrong, in words that follow a number.
        split: name of the split.
        count: of the cases.
        of: of what could have been one.
        serious: whether training or scoring would stop or be wrong; else it is worth a
            look.
        examples: of the worst cases, at most `EXAMPLES`.
    """

    kind: str
    split: str
    count: int
    of: int
    serious: bool
    examples: tuple[Example, ...] = ()

    def to_dict(self):
        """Return a JSON-ready dict."""
        return {
            "kind": self.kind,
            "split": self.split,
            "count": self.count,
            "of": self.of,
            "serious": self.serious,
            "examples": [example.text for example in self.examples],
        }


def problem_of(kind, split, bad, example, *, serious, worst=None):
    """Make a problem of a mask; None if nothing is wrong.

    Args:
        kind: see `Problem`.
        split: see `Problem`.
        bad: (N,) bool.
        example: function of a position that returns an `Example`.
        serious: see `Problem`.
        worst: (N,) numbers, the largest of which are the worst cases; None to show the
            first ones.
    """
    places = np.flatnonzero(bad)
    if not len(places):
        return None
    if worst is not None:
        places = places[np.argsort(-np.asarray(worst)[places], kind="stable")]
    examples = tuple(example(int(n)) for n in places[:EXAMPLES])
    return Problem(kind, split, len(places), len(bad), serious, examples)
