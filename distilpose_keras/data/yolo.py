"""Labels of YOLO-pose data sets: a text file for each picture, a line for each person.

A line is a class, the box's center, width and height, then x, y and a visibility (0
absent, 1 hidden, 2 visible) of every keypoint, all lengths as fractions of the picture.
With ``kpt_shape: [K, 2]`` there are no visibilities: a keypoint at (0, 0) is absent.
Labels of ``.../images/x.jpg`` are in ``.../labels/x.txt``.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from distilpose_keras.data.images import read_size
from distilpose_keras.data.yolo_file import YoloDataset
from distilpose_keras.types import FilePath, Json

if TYPE_CHECKING:
    from distilpose_keras.data.people_index import PeopleIndex

# Of a person's box, the share that COCO's person masks fill: labels have no masks.
MASK_SHARE = 0.53
BOX_COLUMNS = 5  # class, center x and y, width, height


def coco_document(dataset: YoloDataset, split: str) -> tuple[Json, list[Path]]:
    """Return the people of a split in COCO's format.

    Args:
        dataset: a `YoloDataset`.
        split: "train", "val" or "test".

    Returns:
        The annotation file's content, and the pictures in the order of its `images`,
        whose ``file_name`` is the path below the folder that all of them share.

    Raises:
        ValueError: naming the label file and line, or the picture, that is damaged.
    """
    pictures = dataset.pictures(split)
    images: list[Json] = []
    annotations: list[Json] = []
    for picture, name in zip(pictures, _distinct_names(pictures), strict=True):
        (height, width), orientation = read_size(picture)
        if orientation >= 5:
            height, width = width, height
        image_id = len(images) + 1
        images.append(
            {"id": image_id, "file_name": name, "height": height, "width": width}
        )
        for kind, box, points in _read_labels(dataset, labels_of(picture)):
            annotation = _annotation(kind, box, points, (width, height))
            annotation |= {"id": len(annotations) + 1, "image_id": image_id}
            annotations.append(annotation)
    categories = [
        {
            "id": n + 1,
            "name": name,
            "keypoints": list(dataset.keypoints),
            "skeleton": [],
        }
        for n, name in enumerate(dataset.classes)
    ]
    document = {
        "images": images,
        "annotations": annotations,
        "categories": categories,
    }
    return document, pictures


def labels_of(picture: FilePath) -> Path:
    """Return where the labels of a picture are: the last ``images`` is ``labels``."""
    parts = list(Path(picture).parts)
    for n in range(len(parts) - 2, -1, -1):
        if parts[n] == "images":
            parts[n] = "labels"
            break
    return Path(*parts).with_suffix(".txt")


def yolo_lines(people: "PeopleIndex") -> Iterator[tuple[int, list[str]]]:
    """Yield the lines of every picture's label file.

    Args:
        people: `PeopleIndex`; all of them are of class 0.

    Yields:
        Position of a picture in ``image_files``, and its lines; pictures without
        people have none.
    """
    for n, (height, width) in enumerate(people.image_sizes):
        extent = np.array([width, height], np.float64)
        begin, end = np.searchsorted(people.image_index, (n, n + 1))
        lines = []
        for i in range(begin, end):
            corner, size = np.split(people.boxes_xywh[i] / np.tile(extent, 2), 2)
            points = people.keypoints[i] / extent * (people.visibility[i] > 0)[:, None]
            values = [*(corner + size / 2), *size]
            triples = [
                f"{x:.6f} {y:.6f} {v}"
                for (x, y), v in zip(points, people.visibility[i], strict=True)
            ]
            lines.append(" ".join(["0", *(f"{v:.6f}" for v in values), *triples]))
        yield n, lines


def _distinct_names(pictures):
    """Paths below the folder that all pictures share."""
    parents = {picture.parent for picture in pictures}
    if len(parents) == 1:
        return [picture.name for picture in pictures]
    shared = Path(*_common(parents))
    return [picture.relative_to(shared).as_posix() for picture in pictures]


def _common(folders):
    """The parts that all folders begin with."""
    for same in zip(*(folder.parts for folder in folders), strict=False):
        if len(set(same)) > 1:
            return
        yield same[0]


def _read_labels(dataset, path):
    """Yield class, box (4,) and keypoints (K, 3) of every person of a label file."""
    if not path.is_file():
        return  # nobody is in the picture
    width = BOX_COLUMNS + len(dataset.keypoints) * dataset.dimensions
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip():
            continue
        try:
            values = np.array(line.split(), np.float64)
        except ValueError:
            values = np.full(0, np.nan)
        if len(values) != width or not np.isfinite(values).all():
            raise ValueError(
                f"{path}, line {number}: must be {width} numbers, class, box and "
                f"{len(dataset.keypoints)} keypoints. Received: {line[:60]!r}"
            )
        kind = int(values[0])
        if kind != values[0] or not 0 <= kind < len(dataset.classes):
            raise ValueError(
                f"{path}, line {number}: class must be in [0, {len(dataset.classes)}). "
                f"Received: {line.split()[0]}"
            )
        points = values[BOX_COLUMNS:].reshape(-1, dataset.dimensions)
        if dataset.dimensions == 2:
            seen = 2.0 * points.any(axis=1, keepdims=True)
            points = np.concatenate([points, seen], axis=1)
        yield kind, values[1:BOX_COLUMNS], points


def _annotation(kind, box, points, extent):
    """A COCO annotation, pixels, of fractions."""
    extent = np.array(extent, np.float64)
    size = box[2:] * extent
    corner = box[:2] * extent - size / 2
    seen = points[:, 2:] > 0
    pixels = np.concatenate([points[:, :2] * extent * seen, points[:, 2:]], axis=1)
    return {
        "category_id": kind + 1,
        "bbox": [*corner.round(3).tolist(), *size.round(3).tolist()],
        "area": round(float(size.prod()) * MASK_SHARE, 3),
        "iscrowd": 0,
        "num_keypoints": int(seen.sum()),
        "keypoints": pixels.round(3).ravel().tolist(),
    }
