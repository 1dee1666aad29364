"""The index of a split's shards: what is in which, written when all of it is there."""

import json
from dataclasses import dataclass, field

import numpy as np

from distilpose_keras.data.shards.store import Store, opened
from distilpose_keras.keypoints import KeypointSchema
from distilpose_keras.types import Json

FORMAT, VERSION = "distilpose-shards", 1


@dataclass(frozen=True, eq=False)
class Shard:
    """One tar file of n pictures.

    Attributes:
        name: of the file, in the folder of the index.
        size: of the file in bytes.
        people: (n,) int64 people of each picture, at least one.
        offsets: (n,) int64 where each picture's part of the file begins, in bytes.
    """

    name: str
    size: int
    people: np.ndarray
    offsets: np.ndarray


@dataclass(frozen=True, eq=False)
class ShardIndex:
    """All shards of a split.

    Attributes:
        schema: KeypointSchema of the people.
        source: name of the annotation file that was packed.
        skipped: how many of its entries were left out, by reason.
        shards: in the order of the data set.
    """

    schema: KeypointSchema
    source: str
    shards: list[Shard]
    skipped: dict[str, int] = field(default_factory=dict)

    def to_dict(self) -> Json:
        """Return what the index file holds."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "schema": self.schema.to_dict(),
            "source": self.source,
            "skipped": self.skipped,
            "shards": [
                {
                    "name": shard.name,
                    "bytes": shard.size,
                    "people": shard.people.tolist(),
                    "offsets": shard.offsets.tolist(),
                }
                for shard in self.shards
            ],
        }


def shard_name(split: str, number: int) -> str:
    """Return the file name of a shard, counted from 0."""
    return f"{split}-{number:06d}.tar"


def index_name(split: str) -> str:
    """Return the file name of a split's index."""
    return f"{split}-index.json"


def annotations_name(split: str) -> str:
    """Return the file name of a split's annotations, if it is for evaluations."""
    return f"{split}-annotations.json"


def read_index(store: Store, split: str) -> ShardIndex:
    """Read the index of a split and look whether its shards are there, whole.

    Args:
        store: folder of the shards.
        split: "train" or "val".

    Raises:
        ValueError: naming the file, if the index is missing, damaged or of another
            version, or if a shard is missing or of another size.
    """
    sizes = store.sizes()
    path = f"{store.label}/{index_name(split)}"
    if index_name(split) not in sizes:
        raise ValueError(
            f"no shards to read: {path} is missing (`distilpose pack` writes it last)"
        )
    with opened(store, index_name(split)) as file:
        content = file.read()
    try:
        index = _parse(json.loads(content), path)
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
        raise ValueError(
            f"{path} is damaged or no index of shards ({type(error).__name__}: {error})"
        ) from None
    for shard in index.shards:
        found = sizes.get(shard.name)
        if found is None:
            raise ValueError(f"shard is missing: {store.label}/{shard.name}")
        if found != shard.size:
            raise ValueError(
                f"shard {store.label}/{shard.name} must have {shard.size} bytes, as "
                f"its index says. Received: {found}"
            )
    return index


def _parse(document, path):
    """Return the ShardIndex that a document describes."""
    if document["format"] != FORMAT or document["version"] != VERSION:
        raise ValueError(
            f"{path} must be of format {FORMAT}, version {VERSION}. Received: "
            f"{document['format']}, version {document['version']}"
        )
    shards = [
        Shard(
            str(entry["name"]),
            int(entry["bytes"]),
            np.array(entry["people"], np.int64),
            np.array(entry["offsets"], np.int64),
        )
        for entry in document["shards"]
    ]
    for shard in shards:
        if shard.people.shape != shard.offsets.shape or (shard.people < 1).any():
            raise ValueError(
                f"{path} must say for each picture of {shard.name} where it is and how "
                f"many people, at least one, it has. Received: {len(shard.offsets)} "
                f"offsets and {len(shard.people)} counts"
            )
    schema = KeypointSchema.from_dict(document["schema"])
    source, skipped = str(document["source"]), dict(document["skipped"])
    return ShardIndex(schema, source, shards, skipped)
