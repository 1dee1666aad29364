"""A correct data set of people who look at the camera, to be spoiled by the tests."""

import json

import cv2
import numpy as np
import pytest

from distilpose_keras.keypoints import COCO_17

HEIGHT, WIDTH = 240, 320
# Seen from the front: the person's left is on the right of the picture.
_HALF = {"eye": (4, 10), "ear": (8, 12), "shoulder": (16, 34), "elbow": (22, 58)}
_HALF |= {"wrist": (20, 80), "hip": (11, 84), "knee": (12, 118), "ankle": (12, 150)}


def standing(rng, *, tilt=0.0):
    """(17, 2) keypoints of a person who faces the camera, turned by some degrees."""
    points = []
    for name in COCO_17.names:
        side, _, part = name.partition("_")
        x, y = _HALF.get(part, (0, 16))
        points.append((x if side == "left" else -x, y))
    points = np.array(points, np.float64) + rng.uniform(-1, 1, (17, 2))
    angle = np.deg2rad(tilt)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = (points - points.mean(axis=0)) @ turn.T
    return points + rng.uniform((100, 100), (WIDTH - 100, HEIGHT - 100))


def person(number, image, points, flags=2):
    low, high = points.min(axis=0) - 3, points.max(axis=0) + 3
    flags = np.broadcast_to(flags, (17,))[:, None]
    return {
        "id": number,
        "image_id": image,
        "category_id": 1,
        "bbox": [*low.tolist(), *(high - low).tolist()],
        "area": float((high - low).prod() / 2),
        "iscrowd": 0,
        "num_keypoints": 17,
        "keypoints": np.hstack([points, flags]).ravel().tolist(),
    }


def scenery(seed):
    """A picture that is like no other."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 255, (6, 8, 3), np.uint8)
    return cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)


class Data:
    """A data set in COCO's layout that can be changed and written again."""

    def __init__(self, folder):
        self.folder = folder
        self.documents = {}
        (folder / "annotations").mkdir()
        rng = np.random.default_rng(3)
        for split, first, count in (("train", 1, 12), ("val", 101, 5)):
            (folder / f"{split}2017").mkdir()
            images, annotations = [], []
            for image in range(first, first + count):
                size = {"width": WIDTH, "height": HEIGHT}
                images.append({"id": image, "file_name": f"{image}.jpg", **size})
                points = standing(rng, tilt=rng.uniform(-40, 40))
                annotations.append(person(1000 + image, image, points))
                cv2.imwrite(str(self.picture(split, image)), scenery(image))
            category = {"id": 1, "name": "person", "keypoints": list(COCO_17.names)}
            self.documents[split] = {
                "images": images,
                "annotations": annotations,
                "categories": [category],
            }
            self.write(split)

    def picture(self, split, image):
        return self.folder / f"{split}2017" / f"{image}.jpg"

    def write(self, split="train"):
        path = self.folder / "annotations" / f"person_keypoints_{split}2017.json"
        path.write_text(json.dumps(self.documents[split]))

    def points(self, n, split="train"):
        return np.reshape(self.documents[split]["annotations"][n]["keypoints"], (17, 3))

    def set_points(self, n, triples, split="train"):
        entry = self.documents[split]["annotations"][n]
        entry["keypoints"] = np.asarray(triples, float).ravel().tolist()


@pytest.fixture
def data(tmp_path):
    return Data(tmp_path)
