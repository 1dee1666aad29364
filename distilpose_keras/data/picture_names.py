"""One place that finds pictures by the ids and names that other programs give them."""

import os
import unicodedata
from functools import cached_property
from pathlib import Path
from urllib.parse import unquote

import numpy as np

from distilpose_keras.data.annotation_fields import whole_number

UNKNOWN = -1
_AMBIGUOUS = -2


class PictureNames:
    """Finds files by names that come from another system.

    An exact name comes first. Else case, ``\\\\`` for ``/``, URL codes, folders before
    the name and, last, the suffix are overlooked, as long as one picture is meant.

    Args:
        files: names of M pictures, relative to their folder.
    """

    def __init__(self, files):
        """Note every ending of every name."""
        self._exact = {name: n for n, name in enumerate(files)}
        self._endings = {}
        for n, name in enumerate(files):
            for ending in _endings(name):
                known = self._endings.setdefault(ending, n)
                if known != n:
                    self._endings[ending] = _AMBIGUOUS

    def find(self, name):
        """Return the position of the picture that a name means; -1 for none."""
        if name in self._exact:
            return self._exact[name]
        for ending in _endings(name):
            found = self._endings.get(ending, UNKNOWN)
            if found >= 0:
                return found
            if found == _AMBIGUOUS:
                return UNKNOWN
        return UNKNOWN


def _endings(name):
    """Ways to write a name, the most telling first: with its suffix, then without."""
    text = unicodedata.normalize("NFC", unquote(str(name))).replace("\\", "/").lower()
    parts = [part for part in text.split("?")[0].split("/") if part not in ("", ".")]
    if not parts:
        return []
    stem = parts[-1].rpartition(".")[0] or parts[-1]
    whole = ["/".join(parts[n:]) for n in range(len(parts))]
    bare = ["/".join([*parts[n:-1], stem]) for n in range(len(parts))]
    return [(text, True) for text in whole] + [(text, False) for text in bare]


class ImageTable:
    """The M pictures of a data set.

    Attributes:
        ids: (M,) int64.
        sizes: (M, 2) int32 (height, width).
        files: M names, relative to the folder of the pictures.
        labels: M ids as the file writes them, where some are not numbers; else None.
    """

    def __init__(self, ids, sizes, files, labels=None):
        """Hold the columns."""
        self.ids = ids
        self.sizes = sizes
        self.files = files
        self.labels = labels

    def positions(self, image_ids):
        """Return where each id (a number) stands in the table; -1 if unknown."""
        if not len(self.ids):
            return np.full(len(image_ids), UNKNOWN)
        order = np.argsort(self.ids, kind="stable")
        found = np.searchsorted(self.ids, image_ids, sorter=order)
        found = order[np.minimum(found, len(order) - 1)]
        return np.where(self.ids[found] == image_ids, found, UNKNOWN)

    def find(self, text):
        """Return the position of the picture that a text means; -1 if unknown.

        Raises:
            ValueError: if it is the id of one picture and the name of another.
        """
        if text in self._labels:
            return self._labels[text]
        number = whole_number(text)
        by_id = UNKNOWN
        if number is not None and self.labels is None:
            by_id = int(self.positions(np.array([number]))[0])
        by_name = self._names.find(text)
        if UNKNOWN not in (by_id, by_name) and by_id != by_name:
            raise ValueError(
                f"image_id {text!r} is the id of {self.files[by_id]} and the name of "
                f"{self.files[by_name]}"
            )
        return max(by_id, by_name)

    @cached_property
    def _labels(self):
        return {label: n for n, label in enumerate(self.labels or ())}

    @cached_property
    def _names(self):
        return PictureNames(self.files)


def names_on_disk(files, image_dir):
    """Find the files that an annotation file means by its names.

    Names that are there as they are written cost one look into the folder.

    Args:
        files: M names as the annotation file writes them.
        image_dir: folder of the pictures.

    Returns:
        M names relative to ``image_dir``, unchanged where no file is meant; and how
        many were changed.
    """
    image_dir = Path(image_dir)
    with os.scandir(image_dir) as entries:
        there = {entry.name for entry in entries}
    missing = [
        n
        for n, name in enumerate(files)
        if name not in there and not ("/" in name and _is_file(image_dir / name))
    ]
    if not missing:
        return files, 0
    listing = [
        os.path.relpath(os.path.join(folder, name), image_dir).replace(os.sep, "/")
        for folder, _, names in os.walk(image_dir)
        for name in names
        if not name.startswith(".")
    ]
    if not listing:
        return files, 0
    names, files, changed = PictureNames(listing), list(files), 0
    for n in missing:
        found = names.find(files[n])
        if found != UNKNOWN:
            files[n] = listing[found]
            changed += 1
    return files, changed


def _is_file(path):
    """Whether a file is there; names from files can be anything."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False
