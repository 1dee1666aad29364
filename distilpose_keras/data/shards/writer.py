"""Packs the pictures and people of a data set into tar files."""

import io
import json
import tarfile
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np

from distilpose_keras.data.images import read_picture_bytes
from distilpose_keras.data.people_index import PeopleIndex
from distilpose_keras.data.shards.index import (
    Shard,
    ShardIndex,
    annotations_name,
    index_name,
    shard_name,
)
from distilpose_keras.data.shards.records import (
    picture_file,
    picture_key,
    record_of,
)
from distilpose_keras.data.shards.truth import truth_of
from distilpose_keras.files import PARTIAL, atomic_path
from distilpose_keras.types import FilePath

SHARD_BYTES = 100_000_000  # COCO's people make about 100 of it


def check_out(out: FilePath, split: str, *, overwrite: bool = False) -> None:
    """Raise ValueError if a folder holds files of this split that must stay."""
    used = [*_beside(out, split), *_shards(out, split)]
    if used and not overwrite:
        raise ValueError(
            f"{out} holds shards of {split} ({used[0].name}): choose another folder or "
            "overwrite them"
        )


def pack_people(
    people: PeopleIndex,
    out: FilePath,
    split: str,
    *,
    shard_bytes: int = SHARD_BYTES,
    people_per_shard: int | None = None,
    annotations: bool = False,
    overwrite: bool = False,
    on_picture: Callable[[], None] | None = None,
) -> ShardIndex:
    """Write the pictures of a data set and their people as shards.

    A shard ``SPLIT-000000.tar`` holds two members a picture, in WebDataset's layout:
    ``KEY.jpg``, the file as it is, and ``KEY.json``, its people in COCO's words (boxes
    clipped, and filled in, as `load_people` does). The index ``SPLIT-index.json`` is
    written last. The same people make the same bytes.

    Args:
        people: PeopleIndex; pictures without people are left out.
        out: folder; other splits may be there.
        split: "train" or "val".
        shard_bytes: a shard is closed when it has as many.
        people_per_shard: a shard is closed when it has as many people; ``shard_bytes``
            does not count then.
        annotations: also write ``SPLIT-annotations.json``, which an evaluation needs:
            a COCO file of these pictures, with the crowds and others that it ignores.
        overwrite: replace the shards of this split that are there.
        on_picture: called after each picture.

    Returns:
        ShardIndex, as it was written.

    Raises:
        ImageError: naming the file, if a picture is missing or cannot be read.
        ValueError: if there is nobody to pack, or the folder holds shards of the split.
    """
    if not len(people):
        raise ValueError(f"nobody to pack. Received: {people.summary()}")
    check_out(out, split, overwrite=overwrite)
    out = Path(out)
    for path in _beside(out, split):
        path.unlink()  # the index first: without an index what is left is no data set
    for path in out.glob(f".{split}-*{PARTIAL}*"):
        path.unlink()  # of a process that was killed
    images, begins = np.unique(people.image_index, return_index=True)
    groups = np.split(np.arange(len(people)), begins[1:])
    pictures = deque(enumerate(zip(images.tolist(), groups, strict=True)))

    def is_full(writer):
        if people_per_shard is not None:
            return writer.people >= people_per_shard
        return writer.bytes >= shard_bytes

    shards = []
    try:
        while pictures:
            path = out / shard_name(split, len(shards))
            shards.append(_write_shard(path, people, pictures, is_full, on_picture))
        _remove(out, split, {shard.name for shard in shards})
        if annotations:
            _write_document(out / annotations_name(split), truth_of(people))
        index = ShardIndex(
            people.schema, people.annotation_file.name, shards, people.skipped
        )
        _write_document(out / index_name(split), index.to_dict())
    except BaseException:
        _remove(out, split, set())
        (out / annotations_name(split)).unlink(missing_ok=True)
        raise
    return index


def _write_shard(path, people, pictures, is_full, on_picture):
    """Write pictures from the front of a deque until the shard is full; return it."""
    with atomic_path(path) as temporary, _Writer(temporary) as writer:
        while pictures and not is_full(writer):
            number, (image, persons) = pictures.popleft()
            writer.add(people, image, persons, number)
            if on_picture is not None:
                on_picture()
    counts, offsets = np.array(writer.rows, np.int64).T
    return Shard(path.name, path.stat().st_size, counts, offsets)


def _write_document(path, document):
    """Write JSON without spaces: there are numbers of every picture in it."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(document, separators=(",", ":")) + "\n")


class _Writer:
    """A tar file that pictures are added to.

    Attributes:
        rows: for each picture how many people it has and where it begins, in bytes.
        people: how many there are in all.
    """

    def __init__(self, path):
        self.rows = []
        self.people = 0
        self._tar = tarfile.open(path, "w", format=tarfile.USTAR_FORMAT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._tar.close()

    @property
    def bytes(self):
        """How many there are so far."""
        return self._tar.offset

    def add(self, people, image, persons, number):
        """Add a picture and its people."""
        content = read_picture_bytes(people.image_path(image))
        record = json.dumps(record_of(people, image, persons)).encode()
        self.rows.append((len(persons), self._tar.offset))
        self.people += len(persons)
        self._write(picture_file(number, people.image_files[image]), content)
        self._write(f"{picture_key(number)}.json", record)

    def _write(self, name, content):
        member = tarfile.TarInfo(name)  # of no date and no owner
        member.size = len(content)
        self._tar.addfile(member, io.BytesIO(content))


def _beside(out, split):
    """What is beside the shards of a split, the index first."""
    paths = [Path(out) / name(split) for name in (index_name, annotations_name)]
    return [path for path in paths if path.exists()]


def _shards(out, split):
    """The shards of a split in a folder, in order."""
    return sorted(Path(out).glob(f"{split}-{'[0-9]' * 6}.tar"))


def _remove(out, split, kept):
    """Remove the shards of a split but those with these names."""
    for path in _shards(out, split):
        if path.name not in kept:
            with suppress(OSError):
                path.unlink()
