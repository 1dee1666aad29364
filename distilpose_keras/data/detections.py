"""Person boxes of a detector for the pictures of a data set, read or found."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from distilpose_keras.data.annotation_fields import NO_ID, FieldError
from distilpose_keras.data.annotation_rows import BELOW_THRESHOLD, AnnotationRows
from distilpose_keras.data.json_stream import text_encoding
from distilpose_keras.data.people_index import PeopleIndex
from distilpose_keras.data.persons import BAD_BOX, OTHER_CATEGORY
from distilpose_keras.data.picture_names import ImageTable
from distilpose_keras.types import FilePath

UNKNOWN_IMAGE = "of an unknown image"


def load_detections(
    detection_file: FilePath, people: PeopleIndex, *, score_threshold: float = 0.0
) -> PeopleIndex:
    """Read a detector's person boxes for the pictures of a data set.

    Boxes are used as the detector gives them, not clipped. Detections of another
    category, below the threshold, of pictures that ``people`` does not know, or whose
    box shows nothing of the picture are left out and counted in ``skipped``. A
    detection without a category is a person; a picture may be meant by its id or by its
    name (see `ImageTable.find`).

    Args:
        detection_file: JSON list of ``image_id, category_id, bbox, score``.
        people: PeopleIndex of the data set.
        score_threshold: lowest score to keep.

    Returns:
        PeopleIndex with the detections' boxes and scores, visibility 0 everywhere.

    Raises:
        ValueError: naming the file, if it is missing or not such a list, or if it has
            no detection of these people's category, pictures or score.
    """
    path = Path(detection_file)
    if not path.is_file():
        raise ValueError(f"detection file does not exist: {path}")
    rows = _read_detections(path, score_threshold)
    images = ImageTable(
        people.image_ids, people.image_sizes, people.image_files, people.image_labels
    )
    same = np.isin(rows.categories, [*people.category_ids, NO_ID])
    image_index = rows.positions(images)
    known = same & (image_index >= 0)
    _check_matches(path, people, rows, same, known)
    skipped = Counter(rows.skipped)
    boxes = rows.boxes
    sizes = people.image_sizes[image_index, ::-1]
    good = known & np.all(
        (boxes[:, 2:] > 0) & (boxes[:, :2] < sizes) & (boxes[:, :2] + boxes[:, 2:] > 0),
        axis=1,
    )
    for reason, out in (
        (OTHER_CATEGORY, ~same),
        (UNKNOWN_IMAGE, same & ~known),
        (BAD_BOX, known & ~good),
    ):
        if out.any():
            skipped[reason] = int(np.count_nonzero(out))
    kept = np.flatnonzero(good)
    kept = kept[np.argsort(image_index[kept], kind="stable")]
    found = image_index[kept], boxes[kept], rows.scores[kept]
    return _detected(people, *found, dict(skipped))


def find_detections(
    find: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
    people: PeopleIndex,
    *,
    progress: bool = False,
) -> PeopleIndex:
    """Find the people in the pictures that these people are in.

    Args:
        find: from a picture (H, W, 3) uint8 to boxes (N, 4) and scores (N,), such as
            `PersonFinder.find`.
        people: PeopleIndex of the data set.
        progress: show a progress bar.

    Returns:
        PeopleIndex with the boxes and scores, visibility 0 everywhere.

    Raises:
        ImageError: naming the file, if a picture cannot be read.
        ValueError: if nobody is found in any of them.
    """
    from rich.progress import track

    pictures, boxes, scores = [], [], []
    for picture in track(
        np.unique(people.image_index),
        description="finding people",
        disable=not progress,
        transient=True,
    ):
        here, sureness = find(people.read_picture(picture))
        pictures.append(np.full(len(here), picture))
        boxes.append(here)
        scores.append(sureness)
    found = [np.concatenate(c) for c in (pictures, boxes, scores) if c]
    if not found or not len(found[0]):
        raise ValueError(f"nobody was found in the pictures of {people.image_dir}")
    return _detected(people, *found, {})


def _detected(people, image_index, boxes, scores, skipped):
    """Boxes, ordered by picture, as a PeopleIndex without labels."""
    shape = len(boxes), people.schema.num_keypoints
    return replace(
        people,
        image_index=image_index.astype(np.int32),
        boxes_xywh=boxes,
        areas=np.prod(boxes[:, 2:], axis=1),
        keypoints=np.zeros((*shape, 2), np.float32),
        visibility=np.zeros(shape, np.uint8),
        confidences=np.ones(shape, np.float32),
        annotation_ids=np.full(len(boxes), -1),
        scores=scores.astype(np.float32),
        entries=np.full(len(boxes), -1),
        skipped=skipped,
        filled={},
        notes=(),
    )


def _read_detections(path, score_threshold):
    """Return the AnnotationRows of a detection file."""
    rows, entry = AnnotationRows(), None
    try:
        entries = json.loads(path.read_text(encoding=text_encoding(path)))
        if isinstance(entries, dict) and isinstance(entries.get("annotations"), list):
            entries = entries["annotations"]
        for entry in entries:
            rows.add_detection(entry, score_threshold)
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not valid JSON: {error.msg}") from None
    except (
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        OverflowError,
        RecursionError,
    ) as error:
        has = "has " if isinstance(error, FieldError) else ""
        raise ValueError(
            f"{path} must be a list of image_id, category_id, bbox and score "
            f"({type(error).__name__}: {has}{error}). Received: {str(entry)[:80]}"
        ) from None
    return rows


def _check_matches(path, people, rows, same, known):
    """Raise a ValueError where every detection is of something else than the people."""
    truth = people.annotation_file
    if not rows.count:
        raise ValueError(f"{path} holds no detections. Received: an empty list")
    if not len(rows.ids):
        raise ValueError(
            f"{path} must have detections at or above the score threshold. Received: "
            f"{rows.skipped[BELOW_THRESHOLD]} below it"
        )
    if not same.any():
        found = sorted(set(rows.categories.tolist()))[:5]
        raise ValueError(
            f"{path} must have detections of category "
            f"{', '.join(map(str, people.category_ids))}, as the people of {truth}. "
            f"Received: category {', '.join(map(str, found))}"
        )
    if not known.any():
        labels = people.image_labels or people.image_ids.tolist()
        raise ValueError(
            f"{path} must be of the pictures of {truth}, such as image_id "
            f"{labels[0] if labels else None!r} ({(people.image_files or [None])[0]}). "
            f"Received: image_id {rows.picture(same.argmax())!r} and "
            f"{np.count_nonzero(same) - 1} others, none of them there"
        )
