"""How many people a finder finds, and how much else.

As COCO's protocol matches boxes: in order of their scores each takes the person whom
it overlaps most and who is not yet taken. People too small to count, and boxes of that
size that fit nobody, are neither right nor wrong.

Legend: boxes (left, top, width, height) in pixels.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from distilpose_keras.data.people_index import PeopleIndex

OVERLAP = 0.5  # intersection over union from which on a box is the person's
WANTED_PRECISION = 0.6


@dataclass(frozen=True)
class Matches:
    """What became of the boxes of a set of pictures.

    Attributes:
        scores: (N,) of the boxes that count, best first.
        right: (N,) bool, whether each is a person's.
        people: how many people count.
    """

    scores: np.ndarray
    right: np.ndarray
    people: int

    def precision_and_recall(self) -> tuple[np.ndarray, np.ndarray]:
        """Of the best 1, 2, ... N boxes: shares of those right, of people found."""
        found = np.cumsum(self.right)
        return found / np.arange(1, len(found) + 1), found / max(self.people, 1)

    def at(self, threshold: float) -> tuple[float, float]:
        """Precision (1 of no boxes) and recall of the boxes of this score and more."""
        count = int(np.count_nonzero(self.scores >= threshold))
        found = int(np.count_nonzero(self.right[:count]))
        return found / count if count else 1.0, found / max(self.people, 1)

    def threshold(self, precision: float = WANTED_PRECISION) -> float:
        """Lowest score down to which this share of boxes is right; 1 if none is."""
        good = np.flatnonzero(self.precision_and_recall()[0] >= precision)
        return float(self.scores[good[-1]]) if len(good) else 1.0

    def best_recall(self, precision: float = WANTED_PRECISION) -> float:
        """Largest recall at which this share of boxes is right."""
        precisions, recalls = self.precision_and_recall()
        return float(recalls[precisions >= precision].max(initial=0.0))

    def average_precision(self) -> float:
        """COCO's: the mean of the best precisions at 101 recalls and more."""
        precisions, recalls = self.precision_and_recall()
        best = np.maximum.accumulate(precisions[::-1])[::-1]
        places = np.searchsorted(recalls, np.linspace(0, 1, 101))
        return float(np.append(best, 0.0)[places].mean())


def overlaps(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union (N, M) of boxes (N, 4) and others (M, 4)."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    ends = (
        boxes[:, None, :2] + boxes[:, None, 2:],
        others[None, :, :2] + others[None, :, 2:],
    )
    shared = np.prod(np.maximum(np.minimum(*ends) - low, 0), axis=-1)
    areas = np.prod(boxes[:, 2:], axis=1)[:, None] + np.prod(others[:, 2:], axis=1)
    return shared / np.maximum(areas - shared, 1e-12)


def match(
    boxes: np.ndarray, scores: np.ndarray, people: np.ndarray, counts: np.ndarray
) -> np.ndarray:
    """Match the boxes of one picture.

    Args:
        boxes: (N, 4).
        scores: (N,).
        people: (M, 4).
        counts: (M,) bool; the others may be found or not.

    Returns:
        (N,) int8: 1 for the box of a person who counts, 0 for one of nobody, -1 for one
        of a person who does not count.
    """
    table = overlaps(boxes, people)
    result, free = np.zeros(len(boxes), np.int8), np.ones(len(people), bool)
    for box in np.argsort(-scores, kind="stable"):
        fits = free & (table[box] >= OVERLAP)
        # Somebody who counts comes first, however much another fits.
        for wanted, verdict in ((counts, 1), (~counts, -1)):
            candidates = np.flatnonzero(fits & wanted)
            if len(candidates):
                person = candidates[table[box, candidates].argmax()]
                result[box], free[person] = verdict, False
                break
    return result


def score_finder(
    find: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
    people: "PeopleIndex",
    *,
    smallest_area: float = 0.0,
    limit: int | None = None,
    progress: bool = False,
) -> Matches:
    """Search the pictures of a data set.

    Args:
        find: from a picture (H, W, 3) uint8 to boxes (N, 4) and scores (N,), as
            `PersonFinder.find`; its threshold should be low.
        people: everybody in the pictures.
        smallest_area: of a person who counts, square pixels, see `PersonInstance`.
        limit: search so many pictures, spread over the data set.
        progress: show a progress bar.

    Raises:
        ImageError: naming the file, if a picture cannot be read.
    """
    from rich.progress import track

    pictures = np.arange(len(people.image_files))
    if limit is not None and limit < len(pictures):
        pictures = pictures[np.linspace(0, len(pictures) - 1, limit).astype(int)]
    scores, verdicts, total = [], [], 0
    for number in track(
        pictures, description="searching", disable=not progress, transient=True
    ):
        here = people.image_index == number
        counts = people.areas[here] >= smallest_area
        boxes, sureness = find(people.read_picture(number))
        verdict = match(boxes, sureness, people.boxes_xywh[here], counts)
        small = np.prod(boxes[:, 2:], axis=1) < smallest_area
        verdict[(verdict == 0) & small] = -1
        scores.append(sureness[verdict >= 0])
        verdicts.append(verdict[verdict >= 0])
        total += int(np.count_nonzero(counts))
    flat = np.concatenate([np.zeros(0), *scores])
    order = np.argsort(-flat, kind="stable")
    right = np.concatenate([np.zeros(0, np.int8), *verdicts]) == 1
    return Matches(flat[order], right[order], total)
