"""A small COCO-layout data set, made on the spot."""

import json

import cv2
import numpy as np
import pytest
import recipe

from distilpose_keras.data.coco import coco_paths, load_people
from distilpose_keras.keypoints import COCO_17

IMAGES, HEIGHT, WIDTH = 10, 120, 160


def coco_document(annotations, images=((1, 100, 200),), names=COCO_17.names):
    """A COCO document; images are (id, height, width)."""
    return {
        "images": [
            {"id": i, "file_name": f"{i}.jpg", "height": h, "width": w}
            for i, h, w in images
        ],
        "annotations": annotations,
        "categories": [{"id": 1, "name": "person", "keypoints": list(names)}],
    }


def annotation(number, box=(10, 20, 30, 40), image_id=1, keypoints=None, **more):
    """An annotation whose 17 keypoints are all visible."""
    if keypoints is None:
        keypoints = [value for k in range(17) for value in (10 + k, 20 + k, 2)]
    entry = {"id": number, "image_id": image_id, "category_id": 1, "bbox": list(box)}
    return entry | {"keypoints": keypoints, "area": 600.0, "iscrowd": 0} | more


@pytest.fixture(scope="session")
def people_dir(tmp_path_factory):
    """A data set of ten pictures with one to four people each, train and val alike."""
    root = tmp_path_factory.mktemp("people")
    rng = np.random.default_rng(5)
    (root / "annotations").mkdir()
    annotations = []
    for image in range(1, IMAGES + 1):
        for _ in range(rng.integers(1, 5)):
            corner = rng.uniform(0, (WIDTH - 60, HEIGHT - 60))
            size = rng.uniform(25, 60, 2)
            points = corner + rng.uniform(0, 1, (17, 2)) * size
            visible = rng.choice([0, 1, 2], 17, p=[0.2, 0.2, 0.6])[:, None]
            keypoints = np.concatenate([points * (visible > 0), visible], axis=1)
            annotations.append(
                annotation(
                    len(annotations),
                    [*corner, *size],
                    image,
                    keypoints.ravel().round(2).tolist(),
                )
            )
    images = [(i, HEIGHT, WIDTH) for i in range(1, IMAGES + 1)]
    document = json.dumps(coco_document(annotations, images))
    for split in ("train", "val"):
        (root / f"{split}2017").mkdir()
        for image in range(1, IMAGES + 1):
            picture = recipe.picture(HEIGHT, WIDTH, seed=image)
            cv2.imwrite(str(root / f"{split}2017" / f"{image}.jpg"), picture)
        path = root / "annotations" / f"person_keypoints_{split}2017.json"
        path.write_text(document)
    return root


@pytest.fixture(scope="session")
def people(people_dir):
    """The PeopleIndex of the small data set."""
    return load_people(*coco_paths(people_dir, "train"))
