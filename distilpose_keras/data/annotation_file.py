"""Reads a COCO annotation file: its pictures, its categories, its people."""

from array import array
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from distilpose_keras.data.annotation_fields import (
    FieldError,
    read_number,
    read_picture_id,
    whole_number,
)
from distilpose_keras.data.annotation_rows import AnnotationRows
from distilpose_keras.data.json_stream import read_members
from distilpose_keras.data.persons import fill_persons
from distilpose_keras.data.picture_names import ImageTable
from distilpose_keras.keypoint_names import match_names


@dataclass
class AnnotationFile:
    """What a COCO annotation file holds.

    Attributes:
        path: the file.
        images: `ImageTable`; a size that is not given is 0.
        categories: dicts, ids as ints.
        rows: `AnnotationRows`.
        doubled: (id, first file, other file) of ids that two pictures have.
    """

    path: Path
    images: ImageTable
    categories: list
    rows: AnnotationRows
    doubled: list = field(default_factory=list)

    def check_image_ids(self):
        """Raise a ValueError if two pictures have one id: whose are the people?"""
        if self.doubled:
            image_id, first, other = self.doubled[0]
            raise ValueError(
                f"{self.path}: every picture must have an id of its own. Received: id "
                f"{image_id} for {first} and for {other}"
                + (
                    f" ({len(self.doubled)} ids are given twice)"
                    if len(self.doubled) > 1
                    else ""
                )
            )

    def persons(self, schema, category_ids, *, labelled_only=False):
        """Return the `Persons` of some categories, keypoints in the schema's order.

        Raises:
            ValueError: if the file's keypoints are not the schema's, an annotation does
                not fit them or its picture is unknown.
        """
        names = next(
            category["keypoints"]
            for category in self.categories
            if category["id"] in category_ids
        )
        return fill_persons(
            self.rows,
            self.images,
            categories=category_ids,
            columns=match_names(schema.names, names),
            length=len(names),
            path=self.path,
            labelled_only=labelled_only,
        )


def read_annotation_file(path):
    """Read a COCO annotation file.

    Args:
        path: JSON, in UTF-8 or with a byte order mark.

    Returns:
        `AnnotationFile`.

    Raises:
        ValueError: naming the file, the entry and the field, if it cannot be followed.
    """
    images, rows, categories = _ImageColumns(), AnnotationRows(), []
    missing = {"images", "annotations", "categories"}
    name = entry = None
    try:
        for name, entries in read_members(path, {"images", "annotations"}):
            missing.discard(name)
            if name == "images":
                for entry in entries:
                    images.add(entry)
            elif name == "annotations":
                for entry in entries:
                    rows.add_annotation(entry)
            elif name == "categories":
                for entry in entries:
                    categories.append(_category(entry))
    except (KeyError, TypeError, AttributeError, OverflowError, FieldError) as error:
        problem = f"lacks {error}" if isinstance(error, KeyError) else f"has {error}"
        raise ValueError(
            f"{path} is not a COCO file: an entry of {name!r} {problem}. "
            f"Received: {str(entry)[:80]}"
        ) from None
    if missing:
        raise ValueError(f"{path} is not a COCO file: it has no {sorted(missing)}")
    table, doubled = images.table()
    return AnnotationFile(Path(path), table, categories, rows, doubled)


def _category(entry):
    """A category with its id as an int."""
    number = whole_number(entry["id"])
    if number is None:
        raise FieldError("id", "a whole number", entry["id"])
    return {**entry, "id": number}


class _ImageColumns:
    """The pictures of a file, entry by entry."""

    def __init__(self):
        """Start without pictures."""
        self._ids = []
        self._sizes = array("i")
        self._files = []

    def add(self, entry):
        """Read an entry of ``images``."""
        value = entry["id"]
        self._ids.append(value if type(value) is int else read_picture_id(value, "id"))
        self._sizes.append(_pixels(entry.get("height"), "height"))
        self._sizes.append(_pixels(entry.get("width"), "width"))
        name = entry["file_name"]
        if not isinstance(name, str) or not name:
            raise FieldError("file_name", "a name", name)
        self._files.append(name)

    def table(self):
        """Return an `ImageTable`, each picture once, and the ids of two pictures."""
        numbers, labels = _numbers(self._ids)
        sizes = np.array(self._sizes, np.int32).reshape(-1, 2)
        seen, kept, doubled = {}, [], []
        for n, number in enumerate(numbers):
            first = seen.setdefault(number, n)
            same = self._files[first] == self._files[n]
            if first == n:
                kept.append(n)
            elif not (same and np.array_equal(sizes[first], sizes[n])):
                doubled.append((self._ids[n], self._files[first], self._files[n]))
        table = ImageTable(
            np.array([numbers[n] for n in kept], np.int64),
            sizes[kept],
            [self._files[n] for n in kept],
            None if labels is None else [labels[n] for n in kept],
        )
        return table, doubled


def _numbers(ids):
    """Ids as numbers; and as text if they cannot all be different numbers."""
    numbers = [whole_number(value) for value in ids]
    if None not in numbers:
        different = len(set(numbers))
        # "1" and "01" are two ids that would be one number.
        if different == len(numbers) or different == len(set(map(str, ids))):
            return numbers, None
    first = {}
    labels = [str(value) for value in ids]
    return [first.setdefault(label, len(first) + 1) for label in labels], labels


def _pixels(value, field):
    """A height or width in pixels; 0 where absent."""
    if type(value) is int:
        return value
    number = read_number(value, field)
    if number != number:
        return 0
    if not 0 <= number < 1 << 31:
        raise FieldError(field, "a number of pixels", value)
    return round(number)
