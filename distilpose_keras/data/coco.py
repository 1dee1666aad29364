"""COCO-format keypoint annotations and person detections, read into arrays."""

import json
import warnings
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from distilpose_keras.data.annotation_fields import NO_ID, FieldError
from distilpose_keras.data.annotation_file import read_annotation_file
from distilpose_keras.data.annotation_rows import BELOW_THRESHOLD, AnnotationRows
from distilpose_keras.data.categories import choose_schema
from distilpose_keras.data.json_stream import text_encoding
from distilpose_keras.data.people_index import PeopleIndex, PersonInstance
from distilpose_keras.data.persons import CROWD, OTHER_CATEGORY, WITHOUT_KEYPOINTS
from distilpose_keras.data.picture_names import ImageTable, names_on_disk
from distilpose_keras.data.picture_sizes import settle_sizes
from distilpose_keras.types import FilePath

if TYPE_CHECKING:
    from distilpose_keras.keypoints import KeypointSchema

__all__ = [
    "PeopleIndex",
    "PersonInstance",
    "coco_paths",
    "find_detections",
    "load_detections",
    "load_people",
]

BAD_BOX = "with a box outside the image or without area"
UNKNOWN_IMAGE = "of an unknown image"


def coco_paths(data_dir: FilePath, split: str) -> tuple[Path, Path]:
    """Return the annotation file and image folder of a COCO-layout data set.

    Args:
        data_dir: holds ``annotations/person_keypoints_{split}2017.json`` and
            ``{split}2017/``.
        split: "train" or "val".

    Raises:
        ValueError: if the data set, its annotation file or its pictures are missing.
    """
    data_dir = Path(data_dir)
    if not data_dir.is_dir():
        raise ValueError(f"data folder does not exist: {data_dir}")
    annotation_file = data_dir / "annotations" / f"person_keypoints_{split}2017.json"
    image_dir = data_dir / f"{split}2017"
    _check_exists(annotation_file, image_dir)
    return annotation_file, image_dir


def _check_exists(annotation_file, image_dir):
    if not annotation_file.is_file():
        raise ValueError(f"annotation file does not exist: {annotation_file}")
    if not image_dir.is_dir():
        raise ValueError(f"image folder does not exist: {image_dir}")


def load_people(
    annotation_file: FilePath,
    image_dir: FilePath,
    *,
    schema: "KeypointSchema | None" = None,
    require_keypoints: bool = True,
    category: str | int | None = None,
    flip_pairs: Iterable[tuple[str | int, str | int]] | None = None,
) -> PeopleIndex:
    """Read a COCO keypoint annotation file.

    Boxes are clipped to [0, width - 1] x [0, height - 1], as the published code does.
    Crowds, people whose box shows nothing of the picture and (unless
    ``require_keypoints`` is False) people without a labelled keypoint are left out and
    counted in ``skipped``. What the file leaves out is filled in (see `fill_persons`);
    that, and what else is not followed as it is written, is said in one warning.

    Args:
        annotation_file: COCO JSON.
        image_dir: folder of its pictures.
        schema: KeypointSchema to give the people; their keypoints are found by name,
            those that the file lacks are not labelled. Read from the file by default.
        require_keypoints: leave out people without labelled keypoints.
        category: name or id of the category to read; by default all that have the
            same keypoints.
        flip_pairs: (left, right) pairs of keypoints that a mirror exchanges, names or
            0-based indices, where the names do not tell.

    Returns:
        PeopleIndex, ordered by picture as the file lists them.

    Raises:
        ValueError: naming the file, if it or the folder is missing, if it is not a COCO
            keypoint file, or if an annotation does not fit the schema.
    """
    annotation_file, image_dir = Path(annotation_file), Path(image_dir)
    _check_exists(annotation_file, image_dir)
    file = read_annotation_file(annotation_file)
    file.check_image_ids()
    schema, category_ids, notes = choose_schema(file, schema, category, flip_pairs)
    persons = file.persons(schema, category_ids, labelled_only=require_keypoints)
    images = file.images
    images.files, renamed = names_on_disk(images.files, image_dir)
    if renamed:
        notes.append(f"{renamed} pictures found under another spelling of their names")
    notes += settle_sizes(images, persons, image_dir)
    columns, skipped = _kept(persons, images.sizes, require_keypoints)
    people = PeopleIndex(
        schema=schema,
        annotation_file=annotation_file,
        image_dir=image_dir,
        category_ids=category_ids,
        image_files=images.files,
        image_ids=images.ids,
        image_labels=images.labels,
        image_sizes=images.sizes,
        scores=np.ones(len(columns["entries"]), np.float32),
        skipped=dict(skipped),
        filled=dict(persons.filled),
        notes=tuple(notes),
        **columns,
    )
    if people.remarks():
        warnings.warn(f"{annotation_file}: {people.remarks()}", stacklevel=2)
    return people


def _kept(persons, sizes, require_keypoints):
    """Return the columns of those who can be cropped, and how many cannot."""
    skipped = Counter(persons.skipped)
    boxes = _clipped(persons.boxes_xywh, sizes[persons.image_index, ::-1])
    good = np.ones(len(persons), bool)
    for reason, bad in (
        (CROWD, persons.crowds),
        (WITHOUT_KEYPOINTS, require_keypoints & ~persons.visibility.any(axis=1)),
        (BAD_BOX, ~(boxes[:, 2:] > 0).all(axis=1)),
    ):
        if (bad & good).any():
            skipped[reason] += int(np.count_nonzero(bad & good))
        good &= ~bad
    rows = np.flatnonzero(good)
    rows = rows[np.argsort(persons.image_index[rows], kind="stable")]
    columns = persons.take(rows)
    del columns["crowds"]
    columns["annotation_ids"] = columns.pop("ids")
    columns["image_index"] = columns["image_index"].astype(np.int32)
    return columns | {"boxes_xywh": boxes[rows]}, skipped


def _clipped(boxes, sizes_wh):
    """Clip boxes to their pictures.

    As the published code: a box that starts outside keeps its width and height.
    """
    corner = np.maximum(boxes[:, :2], 0)
    end = np.minimum(sizes_wh - 1, corner + np.maximum(boxes[:, 2:], 0))
    return np.concatenate([corner, end - corner], axis=1)


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
