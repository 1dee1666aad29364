"""COCO-format keypoint annotations, read into arrays."""

import warnings
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from distilpose_keras.data.annotation_file import read_annotation_file
from distilpose_keras.data.categories import choose_schema
from distilpose_keras.data.people_index import PeopleIndex, PersonInstance
from distilpose_keras.data.persons import BAD_BOX, CROWD, WITHOUT_KEYPOINTS
from distilpose_keras.data.picture_names import names_on_disk
from distilpose_keras.data.picture_sizes import settle_sizes
from distilpose_keras.types import FilePath

if TYPE_CHECKING:
    from distilpose_keras.keypoints import KeypointSchema

__all__ = [
    "PeopleIndex",
    "PersonInstance",
    "coco_paths",
    "load_people",
]


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
    columns["keypoints"] = columns["keypoints"].astype(np.float32)
    return columns | {"boxes_xywh": boxes[rows]}, skipped


def _clipped(boxes, sizes_wh):
    """Clip boxes to their pictures.

    As the published code: a box that starts outside keeps its width and height.
    """
    corner = np.maximum(boxes[:, :2], 0)
    end = np.minimum(sizes_wh - 1, corner + np.maximum(boxes[:, 2:], 0))
    return np.concatenate([corner, end - corner], axis=1)
