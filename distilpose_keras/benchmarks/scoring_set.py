"""Annotations and poses without pictures, in the numbers of COCO's val2017.

Scoring reads no picture, and its time hangs on how many people and poses an image
holds. Boxes and areas are as wide apart as COCO's, poses as near to the people as a
model's and its detector's: some right, some twice, some of nobody.
"""

from dataclasses import dataclass

import numpy as np

from distilpose_keras.keypoints import COCO_17

IMAGES = 5000
IMAGES_WITH_PEOPLE = 2693
PEOPLE, CROWDS, WITHOUT_KEYPOINTS = 11_004, 227, 4425
POSES = 95_000  # of a detector's boxes, before suppression
OF_NOBODY = 0.25  # share of the poses that no person is near to
WIDTH, HEIGHT = 640, 480


@dataclass(frozen=True)
class Poses:
    """N poses as a model gives them, with their person boxes.

    Attributes:
        image_ids: (N,) int64.
        keypoints: (N, K, 2) float64 pixels.
        keypoint_scores: (N, K) float64 in [0, 1].
        box_scores: (N,) float64 in [0, 1].
        areas: (N,) float64 square pixels.
    """

    image_ids: np.ndarray
    keypoints: np.ndarray
    keypoint_scores: np.ndarray
    box_scores: np.ndarray
    areas: np.ndarray


def make_annotations(images=IMAGES, *, schema=COCO_17, seed=0):
    """Make a COCO annotation file's content.

    Args:
        images: how many; people are in proportion.
        schema: KeypointSchema of the people.
        seed: of everything that is drawn.

    Returns:
        Dict of ``images``, ``annotations`` and ``categories``.
    """
    rng = np.random.default_rng(seed)
    count = round(images * PEOPLE / IMAGES)
    populated = rng.permutation(images)[: round(images * IMAGES_WITH_PEOPLE / IMAGES)]
    crowding = rng.gamma(2.0, size=len(populated))
    company = rng.choice(populated, count - len(populated), p=crowding / crowding.sum())
    where = np.concatenate([populated, company])
    boxes = _boxes(rng, count)
    flags = rng.integers(0, 3, (count, schema.num_keypoints))
    flags[rng.random(count) < WITHOUT_KEYPOINTS / PEOPLE] = 0
    crowds = rng.random(count) < CROWDS / PEOPLE
    points = _inside(rng, boxes, schema.num_keypoints)
    triples = (
        np.concatenate([points, flags[..., None]], axis=-1) * (flags > 0)[..., None]
    )
    areas = boxes[:, 2:].prod(axis=1) * rng.uniform(0.3, 0.7, count)
    people = [
        {
            "id": n + 1,
            "image_id": int(where[n]),
            "category_id": 1,
            "bbox": boxes[n].round(2).tolist(),
            "area": round(float(areas[n]), 3),
            "iscrowd": int(crowds[n]),
            "num_keypoints": int(np.count_nonzero(flags[n])),
            "keypoints": triples[n].round(2).ravel().tolist(),
        }
        for n in range(count)
    ]
    return {
        "images": [
            {"id": n, "file_name": f"{n:012}.jpg", "width": WIDTH, "height": HEIGHT}
            for n in range(images)
        ],
        "annotations": people,
        "categories": [{"id": 1, "name": "person", "keypoints": list(schema.names)}],
    }


def make_poses(data, sigmas, *, seed=0):
    """Make poses for the people of `make_annotations`, and some of nobody.

    Args:
        data: what `make_annotations` returned.
        sigmas: (K,) OKS standard deviations, the measure of the poses' errors.
        seed: of everything that is drawn.
    """
    rng = np.random.default_rng(seed)
    people, images = data["annotations"], len(data["images"])
    count = round(images * POSES / IMAGES)
    person = rng.integers(0, len(people), count)
    boxes, areas, image_ids, keypoints = (
        np.array([entry[name] for entry in people])
        for name in ("bbox", "area", "image_id", "keypoints")
    )
    keypoints = keypoints.reshape(len(people), len(sigmas), 3)
    guessed = _inside(rng, boxes, len(sigmas))
    points = np.where(keypoints[..., 2:] > 0, keypoints[..., :2], guessed)[person]
    areas, image_ids = areas[person], image_ids[person]
    # The error of a keypoint at which its similarity is exp(-1/2).
    unit = 2 * np.sqrt(areas)[:, None] * np.asarray(sigmas)
    error = rng.exponential(0.5, (count, 1, 1)) * rng.standard_normal(points.shape)
    nobody = rng.random(count) < OF_NOBODY
    return Poses(
        image_ids=np.where(nobody, rng.integers(0, images, count), image_ids),
        keypoints=points + error * unit[..., None],
        keypoint_scores=rng.random(points.shape[:2]),
        # As a detection file rounds them: some are equal.
        box_scores=rng.random(count).round(3),
        areas=areas,
    )


def _boxes(rng, count):
    """(count, 4) boxes x, y, width, height, from 12 pixels to the image's height."""
    height = np.exp(rng.uniform(np.log(12), np.log(HEIGHT), count))
    size = np.stack([height * rng.uniform(0.3, 0.8, count), height], axis=1)
    corner = rng.random((count, 2)) * (np.array([WIDTH, HEIGHT]) - size)
    return np.concatenate([corner, size], axis=1)


def _inside(rng, boxes, num_keypoints):
    """(N, K, 2) points in the boxes."""
    shares = rng.random((len(boxes), num_keypoints, 2))
    return boxes[:, None, :2] + shares * boxes[:, None, 2:]
