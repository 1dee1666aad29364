"""Makes shards a folder in COCO's layout again, for what needs one: an evaluation."""

import json
from pathlib import Path

from distilpose_keras.data.shards.index import annotations_name
from distilpose_keras.data.shards.people import ShardedPeople
from distilpose_keras.data.shards.reader import read_shard
from distilpose_keras.data.shards.store import opened
from distilpose_keras.files import new_folder
from distilpose_keras.types import FilePath


def check_evaluable(people: ShardedPeople, split: str) -> None:
    """Raise ValueError if shards have no annotations for an evaluation beside them."""
    if annotations_name(split) not in people.store.sizes():
        raise ValueError(
            f"{people.store.label}/{annotations_name(split)} is missing: an evaluation "
            "needs it, and `distilpose pack` writes it for val"
        )


def unpack_shards(people: ShardedPeople, data_dir: FilePath, split: str) -> None:
    """Write a split of shards as a folder in COCO's layout.

    Args:
        people: ShardedPeople of the split.
        data_dir: folder to make; it must be absent or empty.
        split: "train" or "val".

    Raises:
        ValueError: if the folder has contents, if there are no annotations beside the
            shards, or if a shard is missing, cut short or damaged.
    """
    check_evaluable(people, split)
    with opened(people.store, annotations_name(split)) as file:
        annotations = file.read()
    try:
        images = json.loads(annotations)["images"]
        files = [Path(image["file_name"]) for image in images]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{people.store.label}/{annotations_name(split)} is damaged "
            f"({type(error).__name__}: {error})"
        ) from None
    with new_folder(data_dir) as folder:
        pictures = folder / f"{split}2017"
        pictures.mkdir()
        (folder / "annotations").mkdir()
        path = folder / "annotations" / f"person_keypoints_{split}2017.json"
        path.write_bytes(annotations)
        names = {file.stem: file.name for file in files}
        for shard in people.shards:
            for picture in read_shard(people.store, shard, people.schema.names):
                key = picture.name.rpartition("/")[2]
                if key not in names:
                    raise ValueError(
                        f"{picture.name} must be a picture of "
                        f"{annotations_name(split)}. Received: none of that name"
                    )
                (pictures / names[key]).write_bytes(picture.content)
