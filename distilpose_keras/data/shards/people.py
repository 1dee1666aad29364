"""The people of shards: how many, where, and of which keypoints."""

from pathlib import Path

import numpy as np

from distilpose_keras.data.shards.index import ShardIndex, read_index
from distilpose_keras.data.shards.records import picture_key
from distilpose_keras.data.shards.store import Store, open_store
from distilpose_keras.keypoints import KeypointSchema
from distilpose_keras.types import FilePath

BUFFER = 2048  # people; at COCO's 2.3 a picture and 160 kB each, 140 MB


class ShardedPeople:
    """The N people of a split's S shards; made by `load_shards`.

    Give it to `PoseDataset` in place of a `PeopleIndex`. Labels and pictures stay in
    the shards until they are used.

    Attributes:
        schema: KeypointSchema of the K keypoints.
        store: folder of the shards.
        shards: S `Shard`, in the order of the data set.
        annotation_file: name of the annotation file that was packed.
        skipped: how many of its entries were left out, by reason.
        buffer: people that are mixed with each other, at least.
        first_picture: (S + 1,) number of each shard's first picture; the last is M,
            the number of pictures.
        first_person: (M + 1,) position of each picture's first person; the last is N.
        picture_of: (N,) int32 number of each person's picture.
        shard_of: (M,) int32 number of each picture's shard.
    """

    def __init__(
        self,
        store: Store,
        index: ShardIndex,
        *,
        buffer: int = BUFFER,
        schema: KeypointSchema | None = None,
    ) -> None:
        """Count; nothing of the shards is read."""
        self.schema = schema or index.schema
        self.store = store
        self.shards = index.shards
        self.annotation_file = Path(index.source)
        self.skipped = index.skipped
        self.buffer = buffer
        pictures = [len(shard.people) for shard in index.shards]
        counts = np.concatenate(
            [shard.people for shard in index.shards] or [np.zeros(0, np.int64)]
        )
        self.first_picture = np.cumsum([0, *pictures])
        self.first_person = np.concatenate([[0], np.cumsum(counts)])
        self.picture_of = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
        self.shard_of = np.repeat(np.arange(len(pictures), dtype=np.int32), pictures)

    def __len__(self) -> int:
        """N, the number of people."""
        return len(self.picture_of)

    def people_per_shard(self) -> np.ndarray:
        """Return (S,) how many people are in each shard."""
        return np.diff(self.first_person[self.first_picture])

    def picture_name(self, picture: int) -> str:
        """Return what messages call a picture: folder, shard and key."""
        shard = self.shards[self.shard_of[picture]].name
        return f"{self.store.label}/{shard}/{picture_key(picture)}"

    def picture_names(self) -> list[str]:
        """Return what messages call each of the M pictures."""
        return [self.picture_name(n) for n in range(len(self.shard_of))]

    def check_processes(self, processes: int) -> None:
        """Raise ValueError if there are fewer shards than processes."""
        if len(self.shards) < processes:
            raise ValueError(
                f"a training in {processes} processes needs at least as many shards: "
                "pack smaller ones (`distilpose pack --people-per-shard`). Received: "
                f"{len(self.shards)} in {self.store.label}"
            )

    def summary(self) -> str:
        """Say in one line what is here and what was left out."""
        text = f"{len(self)} people in {len(self.shard_of)} images"
        text += f" in {len(self.shards)} shards"
        if self.skipped:
            reasons = [f"{count} {reason}" for reason, count in self.skipped.items()]
            text += f" (skipped: {', '.join(reasons)})"
        return text


def load_shards(
    path: FilePath,
    split: str,
    *,
    buffer: int = BUFFER,
    schema: KeypointSchema | None = None,
) -> ShardedPeople:
    """Open what `distilpose pack` wrote, for training.

    Shards are read from end to end, in an order that is drawn in every epoch, and their
    people mixed within ``buffer``; people of shards that are far from each other in
    this order never meet in a batch. Of several processes each reads its own shards.

    Example:

        >>> people = load_shards("s3://bucket/coco", "train")
        >>> with PoseDataset(people, batch_size=32, workers=4) as batches:
        ...     distiller.fit(batches, epochs=300, shuffle=False)

    Args:
        path: folder of the shards, or a URL that fsspec knows.
        split: "train" or "val".
        buffer: people that are mixed with each other, at least; the files of their
            pictures are held in memory.
        schema: of the model that learns, ``pose_config.schema``: its names must be the
            shards'. Read from the shards by default.

    Returns:
        ShardedPeople, for `PoseDataset`.

    Raises:
        ModuleNotFoundError: in one line, if a URL needs a package that is missing.
        ValueError: naming the file, if the index is missing, damaged or of another
            version, if a shard is missing or of another size, or if the shards are not
            of this schema.
    """
    if buffer < 1:
        raise ValueError(f"buffer must be at least 1 person. Received: {buffer}")
    store = open_store(path)
    index = read_index(store, split)
    if schema is not None and schema.names != index.schema.names:
        raise ValueError(
            f"the shards in {store.label} must be of the keypoints "
            f"{', '.join(schema.names)}. Received: {', '.join(index.schema.names)}"
        )
    return ShardedPeople(store, index, buffer=buffer, schema=schema)
