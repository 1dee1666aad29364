"""A picture and its people as two members of a tar file: KEY.jpg and KEY.json."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from distilpose_keras.data.people_index import PeopleIndex
from distilpose_keras.types import Json


class ShardPicture(NamedTuple):
    """A picture of a shard and its p people.

    Attributes:
        name: what messages call the picture: folder, shard and key.
        content: of the picture's file, as it was packed.
        size: (2,) int32 (height, width) by the annotations.
        boxes_xywh: (p, 4) float64 pixels.
        keypoints: (p, K, 2) float32 pixels.
        visibility: (p, K) uint8.
        confidences: (p, K) float32.
    """

    name: str
    content: bytes
    size: np.ndarray
    boxes_xywh: np.ndarray
    keypoints: np.ndarray
    visibility: np.ndarray
    confidences: np.ndarray


def picture_key(number: int) -> str:
    """Return the key of a picture by its position in the packed split."""
    return f"{number:09d}"


def picture_file(number: int, name: str) -> str:
    """Return what a picture's file is called in a shard: key and suffix.

    Args:
        number: position of the picture in the packed split.
        name: of the file that is packed.
    """
    suffix = Path(name).suffix.lower().strip(".")
    usual = suffix.isalnum() and suffix.isascii() and suffix not in ("json", "jpeg")
    return f"{picture_key(number)}.{suffix if usual else 'jpg'}"


def record_of(people: PeopleIndex, image: int, persons: np.ndarray) -> Json:
    """Describe a picture and its people, in COCO's words.

    Args:
        people: PeopleIndex.
        image: position of the picture in ``image_files``.
        persons: positions of its people.
    """
    height, width = people.image_sizes[image].tolist()
    image_id = int(people.image_ids[image])
    if people.image_labels is not None:
        image_id = people.image_labels[image]
    return {
        "image_id": image_id,
        "file_name": people.image_files[image],
        "width": width,
        "height": height,
        "keypoint_names": list(people.schema.names),
        "people": [_person(people, n) for n in persons],
    }


def _person(people, n):
    """Describe one person."""
    triples = np.concatenate(
        [people.keypoints[n], people.visibility[n, :, None]], axis=1, dtype=np.float64
    )
    person = {
        "id": int(people.annotation_ids[n]),
        "bbox": people.boxes_xywh[n].tolist(),
        "area": float(people.areas[n]),
        "keypoints": triples.ravel().tolist(),
    }
    if (people.confidences[n] != 1).any():
        person["keypoint_scores"] = people.confidences[n].tolist()
    return person


def read_record(
    name: str, content: bytes, record: bytes, names: tuple[str, ...]
) -> ShardPicture:
    """Read what `record_of` describes.

    Args:
        name: what messages call the picture.
        content: of its file.
        record: JSON of the picture.
        names: of the K keypoints.

    Raises:
        ValueError: naming the picture, if the record is damaged or of other keypoints.
    """
    try:
        document = json.loads(record)
        theirs, people = tuple(document["keypoint_names"]), document["people"]
        k = len(theirs)
        triples = np.array([p["keypoints"] for p in people], np.float64)
        triples = triples.reshape(len(people), k, 3)
        scores = [p.get("keypoint_scores", [1.0] * k) for p in people]
        picture = ShardPicture(
            name,
            content,
            np.array([document["height"], document["width"]], np.int32),
            np.array([p["bbox"] for p in people], np.float64).reshape(len(people), 4),
            triples[..., :2].astype(np.float32),
            triples[..., 2].astype(np.uint8),
            np.array(scores, np.float32).reshape(len(people), k),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(
            f"the record of {name} is damaged ({type(error).__name__}: {error})"
        ) from None
    if theirs != names:
        raise ValueError(
            f"{name} must have the keypoints {_some(names)}, as its index says. "
            f"Received: {_some(theirs)}"
        )
    return picture


def _some(names):
    """How many names, and the first of them."""
    shown = ", ".join(map(str, names[:3]))
    return f"{shown}{', ...' if len(names) > 3 else ''} ({len(names)})"
