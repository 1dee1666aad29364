"""Poses as a table, one row per person, for spreadsheets and data frames."""

import csv
import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path

from distilpose_keras.files import atomic_path
from distilpose_keras.types import FilePath, Json

SUFFIXES = (".csv", ".parquet")
ROWS = 10_000  # that a Parquet file takes at once
# Column: type in Parquet. Then follow x, y and score of each keypoint, in pixels.
_COLUMNS = {
    "file_name": "string",
    "image_id": "int64",
    "frame": "int64",
    "seconds": "double",
    "person": "int64",
    "track_id": "int64",
    "left": "double",
    "top": "double",
    "width": "double",
    "height": "double",
    "score": "double",
}
ERROR = "error"


def columns(names: Sequence[str], *, every_picture: bool = False) -> list[str]:
    """Return the columns of a table of poses.

    Args:
        names: of the keypoints.
        every_picture: see `write_table`.

    Returns:
        ``file_name``, ``image_id``, ``frame`` and ``seconds`` (empty for images),
        ``person`` (from 1, within the picture), ``track_id`` (empty without tracking),
        the box ``left``, ``top``, ``width``, ``height`` in pixels, the person's
        ``score``, and ``NAME_x``, ``NAME_y`` (pixels) and ``NAME_score`` of each
        keypoint; of a table with every picture, last, ``error``.
    """
    return [
        *_COLUMNS,
        *(f"{name}_{part}" for name in names for part in ("x", "y", "score")),
        *([ERROR] if every_picture else []),
    ]


def write_table(
    path: FilePath,
    records: Iterable[Json],
    names: Sequence[str],
    *,
    every_picture: bool = False,
) -> None:
    """Write poses as a table, atomically.

    Args:
        path: ends in ``.csv`` or ``.parquet``.
        records: lines of `distilpose_keras.pose_lines.PoseLines`.
        names: of the keypoints.
        every_picture: let a picture without people have a row, too, with ``file_name``
            and ``image_id`` and, in one more column, the ``error`` of one that cannot
            be read.

    Raises:
        ValueError: if the path ends in something else.
        ModuleNotFoundError: if Parquet is asked for and pyarrow is not installed.
    """
    path = Path(path)
    check_table(path)
    write = _write_csv if path.suffix == ".csv" else _write_parquet
    with atomic_path(path) as temporary:
        rows = _rows(records, len(names), every_picture)
        write(temporary, rows, columns(names, every_picture=every_picture))


def check_table(path: FilePath) -> None:
    """Raise as `write_table` does, before anything is computed."""
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise ValueError(
            f"a table must end in {' or '.join(SUFFIXES)}. Received: {path}"
        )
    if path.suffix == ".parquet":
        import_arrow("a Parquet table")


def _rows(records, keypoints, every_picture):
    """Yield the values of each row, None where there is none."""
    for record in records:
        origin = [record.get(k) for k in ("file_name", "image_id", "frame", "seconds")]
        people = record.get("people", ())
        error = [record.get(ERROR)] if every_picture else []
        for number, person in enumerate(people, 1):
            yield [
                *origin,
                number,
                person.get("track_id"),
                *person["bbox"],
                person["score"],
                *person["keypoints"],
                *error,
            ]
        if every_picture and not people:
            nobody = [None] * (len(_COLUMNS) - len(origin) + 3 * keypoints)
            yield [*origin, *nobody, *error]


def _write_csv(path, rows, headings):
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(headings)
        writer.writerows(rows)


def _write_parquet(path, rows, headings):
    arrow, parquet = import_arrow("a Parquet table")
    kinds = {**_COLUMNS, ERROR: "string"}
    schema = arrow.schema(
        [
            (column, arrow.type_for_alias(kinds.get(column, "double")))
            for column in headings
        ]
    )
    with parquet.ParquetWriter(path, schema) as writer:
        while part := list(itertools.islice(rows, ROWS)):
            values = [
                arrow.array(column, field.type)
                for column, field in zip(zip(*part, strict=True), schema, strict=True)
            ]
            writer.write_table(arrow.Table.from_arrays(values, schema=schema))


def import_arrow(what):
    """Import pyarrow, which only Parquet needs.

    Args:
        what: what needs it, as the error says it.

    Returns:
        The modules ``pyarrow`` and ``pyarrow.parquet``.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            f"{what} needs pyarrow: pip install distilpose-keras[parquet]"
        ) from None
    return pyarrow, pyarrow.parquet
