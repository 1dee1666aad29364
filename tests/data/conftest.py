"""A small COCO-layout data set, made on the spot."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import recipe

from distilpose_keras.data.coco import coco_paths, load_people
from distilpose_keras.data.samples import SampleRequest
from distilpose_keras.keypoints import COCO_17

IMAGES, HEIGHT, WIDTH = 10, 120, 160
SIZE = (64, 48)  # of a crop


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


def whole_picture(paths):
    """Request crops that are whole pictures of `SIZE`; joint k is at (k, 2 k)."""
    height, width = SIZE
    # A crop shows 1.25 times the box, about its middle.
    box = [0.1 * width, 0.1 * height, 0.8 * width, 0.8 * height]
    joints = [(k, 2 * k) for k in range(17)]
    count = len(paths)
    return SampleRequest(
        np.arange(count),
        list(paths),
        np.array([box] * count),
        np.array([joints] * count, np.float32),
        np.full((count, 17), 2, np.uint8),
        np.zeros(count, bool),
    )


def workers_of(pid):
    """Process ids of the data workers that a process started."""
    if not Path("/proc").is_dir():
        pytest.skip("processes are looked up under /proc")
    found = []
    for entry in Path("/proc").iterdir():
        try:
            state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            command = (entry / "cmdline").read_bytes()
        except (OSError, ValueError):
            continue
        if int(parent) == pid and state != "Z" and b"data.worker" in command:
            found.append(int(entry.name))
    return found


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
