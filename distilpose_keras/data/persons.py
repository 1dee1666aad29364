"""One place that fills the optional fields of people.

Training, scoring and checking all ask `fill_persons`, so that they cannot disagree on
whose area, box or labels a person has.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from distilpose_keras.data.annotation_fields import NO_ID

CROWD = "crowd"
WITHOUT_KEYPOINTS = "without keypoints"
OTHER_CATEGORY = "of another category"
BAD_BOX = "with a box outside the image or without area"
LISTED_TWICE = "listed twice"
# A box holds a body, not only its joints: COCO's boxes of people with all 17 labelled
# reach beyond them by 0.11 of the joints' longer side (median of six people).
JOINT_MARGIN = 0.1


@dataclass(frozen=True)
class Persons:
    """All N people of a file, crowds and people without labels too.

    Attributes:
        entries: (N,) int64 number of each person's entry in the file.
        ids: (N,) int64 ids of the annotations.
        image_index: (N,) position of each person's picture in the `ImageTable`.
        boxes_xywh: (N, 4) float64 pixels, as the file has them or from the keypoints;
            not positive where there is neither.
        areas: (N,) float64, the box's where the file has none.
        keypoints: (N, K, 2) float64 pixels: matches hang on the last digit of a file.
        visibility: (N, K) uint8: 0 not labelled, 1 hidden, 2 visible.
        confidences: (N, K) float32 in [0, 1], what each label is worth.
        crowds: (N,) bool.
        skipped: how many entries are not here, by reason.
        filled: how many people had something filled in, by what.
    """

    entries: np.ndarray
    ids: np.ndarray
    image_index: np.ndarray
    boxes_xywh: np.ndarray
    areas: np.ndarray
    keypoints: np.ndarray
    visibility: np.ndarray
    confidences: np.ndarray
    crowds: np.ndarray
    skipped: Counter
    filled: Counter

    def __len__(self):
        """N, the number of people."""
        return len(self.entries)

    def take(self, rows):
        """Return a dict of the arrays of these people."""
        names = ("entries", "ids", "image_index", "boxes_xywh", "areas", "keypoints")
        names += ("visibility", "confidences", "crowds")
        return {name: getattr(self, name)[rows] for name in names}


def fill_persons(
    rows, images, *, categories, columns, length, path, labelled_only=False
):
    """Make people of annotations.

    * A keypoint is labelled if its flag is above 0, whatever ``num_keypoints`` says:
      some programs write confidences.
    * A box that is absent or has no extent becomes the box of the labelled keypoints.
    * An area that is absent or not above 0 becomes the box's.

    Args:
        rows: `AnnotationRows`.
        images: `ImageTable`.
        categories: ids of the categories that are meant.
        columns: K positions of the schema's keypoints in the file; -1 for none.
        length: how many keypoints an entry of the file has.
        path: the file, for messages.
        labelled_only: leave out crowds and people without a labelled keypoint.

    Returns:
        `Persons`.

    Raises:
        ValueError: if an annotation's keypoints do not fit or its picture is unknown.
    """
    skipped, filled = Counter(), Counter()
    meant = np.isin(rows.categories, [*categories, NO_ID])
    _count(skipped, OTHER_CATEGORY, ~meant)
    chosen = np.flatnonzero(meant)
    image_index = rows.positions(images)[chosen]
    _check_fits(rows, chosen, image_index, categories, length, path)
    if labelled_only:
        crowds, empty = rows.crowds[chosen], rows.lengths[chosen] == 0
        _count(skipped, CROWD, crowds)
        _count(skipped, WITHOUT_KEYPOINTS, empty & ~crowds)
        kept = np.flatnonzero(~crowds & ~empty)
        chosen, image_index = chosen[kept], image_index[kept]
    keypoints, visibility = _labels(rows, chosen, columns, filled, path)
    confidences = _confidences(rows, chosen, columns, length, path)
    boxes = _boxes(rows.boxes[chosen], keypoints, visibility, filled)
    areas = rows.areas[chosen].copy()
    extent = np.prod(boxes[:, 2:].clip(0), axis=1)
    absent = ~(np.isfinite(areas) & (areas > 0))
    areas[absent] = extent[absent]
    _count(filled, "areas taken from the boxes", absent & (extent > 0))
    persons = Persons(
        entries=rows.entries[chosen],
        ids=rows.ids[chosen],
        image_index=image_index,
        boxes_xywh=boxes,
        areas=areas,
        keypoints=keypoints,
        visibility=visibility,
        confidences=confidences,
        crowds=rows.crowds[chosen],
        skipped=skipped,
        filled=filled,
    )
    return _each_once(persons)


def _count(counter, what, mask):
    if mask.any():
        counter[what] += int(np.count_nonzero(mask))


def _check_fits(rows, chosen, image_index, categories, length, path):
    """Raise a ValueError for an annotation of another layout or an unknown picture."""
    wants = f"must have 3 numbers for each of {length} keypoints"
    lengths, crowds = rows.lengths[chosen], rows.crowds[chosen]
    for bad, problem in (
        # What a crowd has for keypoints counts for nothing.
        ((lengths != 3 * length) & (lengths != 0) & (crowds == 0), wants),
        (image_index < 0, "is of an image that the file does not list"),
    ):
        if bad.any():
            n = chosen[bad.argmax()]
            raise ValueError(
                f"annotation {rows.ids[n]} of {path} {problem}. Received: "
                f"{rows.lengths[n]} numbers, image {rows.picture(n)}"
            )
    for (category, numbers), entry in rows.examples.items():
        if category in categories and numbers not in (0, 3 * length):
            raise ValueError(
                f"annotation {rows.ids[entry]} of {path} {wants}. "
                f"Received: {numbers} numbers"
            )


def _labels(rows, chosen, columns, filled, path):
    """Return keypoints (n, K, 2) and visibility (n, K) of some rows."""
    keypoints, flags = rows.keypoints(chosen, columns)
    labelled = flags > 0
    with np.errstate(over="ignore"):  # finite where crops are made, in float32
        finite = np.isfinite(keypoints.astype(np.float32)).all(axis=-1)
    bad = (labelled & ~(finite & np.isfinite(flags))).any(axis=1)
    if bad.any():
        raise ValueError(
            f"annotation {rows.ids[chosen[bad.argmax()]]} of {path} must have finite "
            "numbers for a labelled keypoint. Received: NaN or infinity"
        )
    confidences = (labelled & (flags != np.floor(flags))).any(axis=1)
    _count(filled, "with confidences for flags (labelled above 0)", confidences)
    keypoints[~finite] = 0
    flags = np.where(labelled, np.ceil(flags).clip(1, 2), 0)
    return keypoints, flags.astype(np.uint8)


def _confidences(rows, chosen, columns, length, path):
    """Return what each label is worth, (n, K)."""
    worth, wrong = rows.worth(chosen, columns, length)
    if wrong.any():
        raise ValueError(
            f"annotation {rows.ids[chosen[wrong.argmax()]]} of {path} must have "
            f"{length} keypoint_scores between 0 and 1"
        )
    return worth


def _boxes(boxes, keypoints, visibility, filled):
    """Put the box of the labelled keypoints where there is none."""
    boxes = boxes.copy()
    absent = ~(np.isfinite(boxes).all(axis=1) & (boxes[:, 2:] > 0).all(axis=1))
    # One point says where a person is, not how large.
    absent &= np.count_nonzero(visibility, axis=1) > 1
    rows = np.flatnonzero(absent)
    if len(rows):
        boxes[rows] = boxes_of_keypoints(keypoints[rows], visibility[rows])
        _count(filled, "boxes taken from the keypoints", boxes[rows, 2] > 0)
    return np.nan_to_num(boxes, nan=0, posinf=0, neginf=0)


def boxes_of_keypoints(keypoints, visibility):
    """Return the boxes (n, 4) that hold people's labelled keypoints, and some more.

    Args:
        keypoints: (n, K, 2) pixels.
        visibility: (n, K), above 0 where labelled.
    """
    labelled = (visibility > 0)[..., None]
    low = np.where(labelled, keypoints, np.inf).min(axis=1).astype(np.float64)
    high = np.where(labelled, keypoints, -np.inf).max(axis=1).astype(np.float64)
    margin = JOINT_MARGIN * (high - low).max(axis=1, keepdims=True)
    return np.concatenate([low - margin, high - low + 2 * margin], axis=1)


def _each_once(persons):
    """Leave out people who are in the file twice, with one id and the same label."""
    _, first, inverse = np.unique(persons.ids, return_index=True, return_inverse=True)
    if len(first) == len(persons):
        return persons
    first = first[inverse]
    again = first != np.arange(len(persons))
    for name in ("image_index", "boxes_xywh", "keypoints", "visibility"):
        values = getattr(persons, name)
        same = values == values[first]
        again &= same.reshape(len(same), -1).all(axis=1)
    persons.skipped[LISTED_TWICE] += int(np.count_nonzero(again))
    if not again.any():
        del persons.skipped[LISTED_TWICE]
    kept = persons.take(np.flatnonzero(~again))
    return Persons(**kept, skipped=persons.skipped, filled=persons.filled)
