"""The pictures of a large job, listed without a look into any of them."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from distilpose_keras.data.images import ImageError, decode_image, read_image
from distilpose_keras.pictures import IMAGE_SUFFIXES, Picture, listed_files
from distilpose_keras.tables import import_arrow

PARQUET = ".parquet"
AT_ONCE = 16  # pictures of a Parquet file in memory


class Listed(NamedTuple):
    """A picture that has not been read.

    Attributes:
        name: what the table calls it: its path as it was given, or, of a Parquet file
            with neither, FILE:ROW.
        file: picture file, or Parquet file that holds it.
        row: in the Parquet file, or -1 for a picture file.
    """

    name: str
    file: str
    row: int = -1


def list_pictures(inputs: Iterable[str]) -> list[Listed]:
    """Return the pictures of files, folders, patterns and Parquet files.

    A Parquet file has a row per picture, with its ``path`` (relative to the Parquet
    file's folder, if it is not absolute), or its content as ``bytes``, and then its
    ``path`` for a name, if it has one: as Ray's `read_binary_files` writes them.

    A picture that is named twice is one.

    Raises:
        ValueError: if an input does not exist, is of another kind, or has no pictures.
        ModuleNotFoundError: if there is a Parquet file and pyarrow is not installed.
    """
    found = {}
    for text in map(str, inputs):
        if Path(text).suffix.lower() == PARQUET and Path(text).is_file():
            rows = _rows_of(text)
        else:
            rows = _files_of(text)
        for listed in rows:
            found.setdefault(listed.name, listed)
    return list(found.values())


def _files_of(text):
    for path in listed_files(text):
        if not isinstance(path, Path) or path.suffix.lower() not in IMAGE_SUFFIXES:
            raise ValueError(
                "a large job takes pictures, folders of them, patterns and .parquet "
                f"files, no videos. Received: {path}"
            )
        yield Listed(str(path), str(path.absolute()))


def _rows_of(text):
    _, parquet = import_arrow("pictures in a Parquet file")
    path = Path(text)
    try:
        file = parquet.ParquetFile(path)
    except OSError:
        raise
    except Exception as error:
        raise ValueError(f"{text} is not a Parquet file ({error})") from None
    with file:
        names = set(file.schema_arrow.names)
        if not names & {"path", "bytes"}:
            raise ValueError(
                f"{text} must have a column 'path' or 'bytes'. Received: "
                f"{sorted(names)}"
            )
        if "path" in names:
            given = file.read(["path"]).column("path").to_pylist()
        else:
            given = [None] * file.metadata.num_rows
    for row, name in enumerate(given):
        if "bytes" in names:
            name = f"{text}:{row}" if name is None else str(name)
            yield Listed(name, str(path.absolute()), row)
        elif name is not None:
            yield Listed(str(name), str(path.absolute().parent / str(name)))


def image_ids(pictures: list[Listed]) -> list[int]:
    """Return the number of each picture.

    Where all file names are numbers, as COCO's, those; else positions, from 1.
    """
    stems = [Path(picture.name).stem for picture in pictures]
    if all(stem.isdecimal() for stem in stems):
        return list(map(int, stems))
    return list(range(1, len(pictures) + 1))


def read_pictures(pictures: list[Listed], ids: list[int]) -> Iterator[Picture]:
    """Read listed pictures one by one, in any order.

    A damaged one is a `Picture` with an error.

    Args:
        pictures: what `list_pictures` returned, or some of it.
        ids: the number of each.
    """
    held = {}  # of each Parquet file: row -> picture and number
    for picture, number in zip(pictures, ids, strict=True):
        if picture.row < 0:
            yield _picture(picture, number, lambda p: read_image(p.file))
        else:
            held.setdefault(picture.file, {})[picture.row] = picture, number
    for path, wanted in held.items():
        for row, content in _contents(path, wanted):
            picture, number = wanted[row]
            yield _picture(picture, number, lambda p, c=content: _decode(c, p.name))


def _decode(content, name):
    if content is None:
        raise ImageError(f"image is missing: {name}")
    return decode_image(content, name)


def _picture(picture, number, read):
    try:
        return Picture(picture.name, number, read(picture))
    except ImageError as error:
        return Picture(picture.name, number, None, str(error))


def _contents(path, wanted):
    """Yield (row, bytes) of the wanted rows, from the row groups that have them."""
    _, parquet = import_arrow("pictures in a Parquet file")
    with parquet.ParquetFile(path) as file:
        start = 0
        for group in range(file.num_row_groups):
            stop = start + file.metadata.row_group(group).num_rows
            left = sum(start <= row < stop for row in wanted)
            row = start
            batches = file.iter_batches(AT_ONCE, [group], ["bytes"]) if left else ()
            for batch in batches:
                for value in batch.column(0):
                    if row in wanted:
                        left -= 1
                        yield row, value.as_py()
                    row += 1
                if not left:
                    break
            start = stop
