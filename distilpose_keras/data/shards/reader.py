"""Reads shards: from end to end, or one picture of one."""

import tarfile
from collections.abc import Iterator
from contextlib import contextmanager

from distilpose_keras.data.shards.index import Shard
from distilpose_keras.data.shards.records import ShardPicture, read_record
from distilpose_keras.data.shards.store import Store, opened


def read_shard(
    store: Store, shard: Shard, names: tuple[str, ...]
) -> Iterator[ShardPicture]:
    """Yield the pictures of a shard in order, reading it once from its beginning.

    Args:
        store: folder of the shard.
        shard: what the index says of it.
        names: of the keypoints that its people must have.

    Raises:
        ValueError: naming the shard, if it is missing, cut short, damaged or holds
            other pictures than the index says.
    """
    label, count = f"{store.label}/{shard.name}", 0
    with opened(store, shard.name) as file, _tar_errors(label):
        for picture in _pictures(file, label, names):
            _check_people(picture, shard, count)
            count += 1
            yield picture
    if count != len(shard.people):
        raise ValueError(
            f"shard {label} must hold {len(shard.people)} pictures, as its index says. "
            f"Received: {count}"
        )


def read_picture(
    store: Store, shard: Shard, number: int, names: tuple[str, ...]
) -> ShardPicture:
    """Read one picture of a shard and not what is before it.

    Args:
        store: folder of the shard.
        shard: what the index says of it.
        number: of the picture within the shard, from 0.
        names: of the keypoints that its people must have.

    Raises:
        ValueError: as `read_shard`.
    """
    label = f"{store.label}/{shard.name}"
    with opened(store, shard.name) as file, _tar_errors(label):
        file.seek(int(shard.offsets[number]))
        for picture in _pictures(file, label, names):
            _check_people(picture, shard, number)
            return picture
    raise ValueError(f"shard {label} is cut short: its picture {number} is missing")


def _pictures(file, label, names):
    """Yield the ShardPictures of a tar file from where it stands."""
    parts, current = {}, None
    with tarfile.open(fileobj=file, mode="r|") as tar:
        for member in tar:
            content = tar.extractfile(member)
            if content is None:  # not a file
                continue
            key, _, kind = member.name.partition(".")
            if key != current:
                parts, current = {}, key
            parts["record" if kind == "json" else "content"] = content.read()
            if len(parts) == 2:
                yield read_record(f"{label}/{key}", names=names, **parts)


def _check_people(picture, shard, number):
    """Raise ValueError unless a picture has as many people as the index says."""
    expected = 0
    if number < len(shard.people):
        expected = int(shard.people[number])
    if len(picture.boxes_xywh) != expected:
        raise ValueError(
            f"{picture.name} must have {expected} people, as its index says. Received: "
            f"{len(picture.boxes_xywh)}"
        )


@contextmanager
def _tar_errors(label):
    """Say of a tar file that cannot be followed which it is."""
    try:
        yield
    except tarfile.TarError as error:
        raise ValueError(f"shard {label} is cut short or damaged: {error}") from None
