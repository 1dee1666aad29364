"""Poses as JSON lines, one per picture, written as they are found."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

from distilpose_keras.files import atomic_path
from distilpose_keras.types import FilePath, Json


class PoseLines:
    """A file with one line of JSON per picture, each written whole or not at all.

    A line has ``file_name`` and ``image_id``, for frames of videos ``frame`` and, where
    it is known, ``seconds``, and then either ``error`` or ``width``, ``height`` and
    ``people``: of each what COCO's result format has. A program that is killed leaves
    all the lines that it wrote. The file is there from the first line on.
    """

    def __init__(self, path: FilePath) -> None:
        """Write into ``path``."""
        self.path = Path(path)
        self.people = self.pictures = 0
        self._file: int | None = None

    def append(self, record: Json) -> None:
        """Write the line of one picture.

        Raises:
            OSError: if it cannot be written; the lines before it stay.
        """
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC
            self._file = os.open(self.path, flags, 0o666)
        line = (json.dumps(record) + "\n").encode()
        end = os.lseek(self._file, 0, os.SEEK_END)
        try:
            while line:
                line = line[os.write(self._file, line) :]
        except OSError:
            os.ftruncate(self._file, end)
            raise
        self.pictures += 1
        self.people += len(record.get("people", ()))

    def __iter__(self) -> Iterator[Json]:
        """Yield what was appended."""
        if self._file is None:
            return
        # The same file, even if somebody has removed its name.
        with open(os.dup(self._file), "rb") as file:
            file.seek(0)
            for line in file:
                yield json.loads(line)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def people_of(records: Iterator[Json]) -> Iterator[Json]:
    """Yield an entry in COCO's result format for each person of `PoseLines`.

    ``file_name``, ``image_id`` and, for videos, ``frame`` come before COCO's fields.
    """
    for record in records:
        origin = {key: record[key] for key in ("file_name", "image_id")}
        if "frame" in record:
            origin["frame"] = record["frame"]
        for person in record.get("people", ()):
            yield {**origin, **person}


def write_results(path: FilePath, records: Iterator[Json]) -> None:
    """Write the people of `PoseLines` as one JSON list, atomically.

    They are never all in memory: a camera may have run for a day.
    """
    with atomic_path(path) as temporary, open(temporary, "w") as file:
        between = "[\n"
        for person in people_of(records):
            file.write(between + json.dumps(person))
            between = ",\n"
        file.write("[]\n" if between == "[\n" else "\n]\n")
