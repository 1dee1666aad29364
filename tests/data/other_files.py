"""Annotation files as other programs write them, made on the spot."""

import json

import cv2
import numpy as np

from distilpose_keras.data.coco import load_people
from distilpose_keras.keypoints import COCO_17

HEIGHT, WIDTH = 90, 160


def document(people=6, seed=0, names=COCO_17.names):
    """A correct file: two people in each picture of 160 x 90, everybody labelled."""
    rng = np.random.default_rng(seed)
    images, annotations = [], []
    for n in range(people):
        image = n // 2 + 1
        if n % 2 == 0:
            size = {"height": HEIGHT, "width": WIDTH}
            images.append({"id": image, "file_name": f"{image:012d}.jpg", **size})
        low = rng.uniform((2, 2), (70, 20))
        points = (low + rng.uniform(0, 1, (len(names), 2)) * (60, 55)).round(2)
        corner, extent = points.min(axis=0) - 1, np.ptp(points, axis=0) + 2
        flags = rng.integers(1, 3, (len(names), 1))
        annotations.append(
            {
                "id": 100 + n,
                "image_id": image,
                "category_id": 1,
                "bbox": [*corner.tolist(), *extent.tolist()],
                "area": float(extent.prod()) / 2,
                "iscrowd": 0,
                "num_keypoints": len(names),
                "keypoints": np.hstack([points, flags]).ravel().tolist(),
            }
        )
    category = {"id": 1, "name": "person", "keypoints": list(names)}
    return {"images": images, "annotations": annotations, "categories": [category]}


def write(folder, data, *, pictures=True):
    """Write a document and its pictures; returns the annotation file."""
    path = folder / "people.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    if pictures:
        for entry in data["images"]:
            name = str(entry["file_name"]).replace("\\", "/").rpartition("/")[2]
            picture = np.full((HEIGHT, WIDTH, 3), 40 + entry_number(entry), np.uint8)
            cv2.imwrite(str(folder / name), picture)
    return path


def entry_number(entry):
    """A grey that tells pictures apart."""
    return 10 * (sum(map(ord, str(entry["id"]))) % 20)


def load(folder, data, **options):
    """Write a document and load it."""
    return load_people(write(folder, data), folder, **options)
