"""Scoring: poses in COCO's result format and their AP."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from distilpose_keras.data.truth import truth_document
from distilpose_keras.person_scores import rescore
from distilpose_keras.scorers import coco_figures, paused_collector
from distilpose_keras.types import Json

if TYPE_CHECKING:
    from distilpose_keras.data.people_index import PeopleIndex

MAX_POSES = 20  # of an image, the best: what COCO's keypoint evaluation reads

# The figures of a COCO keypoint evaluation, in pycocotools' order.
FIGURES = ("AP", "AP50", "AP75", "APM", "APL", "AR", "AR50", "AR75", "ARM", "ARL")


@dataclass(frozen=True)
class GroundTruth:
    """What poses are scored against.

    Attributes:
        image_ids: (M,) int64 COCO ids of the images, without repetition, ascending.
        people: annotations in COCO's format, with all fields that scorers read.
    """

    image_ids: np.ndarray
    people: list[dict]


@paused_collector()
def read_ground_truth(people: "PeopleIndex") -> tuple[GroundTruth, bool]:
    """Read the annotations behind a `PeopleIndex` for `score_coco`.

    All people of the file count, also those that the index left out for their boxes,
    as in COCO's own evaluation. Of an index that is a part of its file
    (`PeopleIndex.take`), the others neither count as missed nor as found.

    Args:
        people: a `PeopleIndex`.

    Returns:
        `GroundTruth`, and whether the index covers the whole file.
    """
    document, complete = truth_document(people)
    image_ids = np.array([image["id"] for image in document["images"]], np.int64)
    return GroundTruth(np.unique(image_ids), document["annotations"]), complete


@paused_collector()
def score_coco(
    ground_truth: GroundTruth,
    image_ids: ArrayLike,
    keypoints: ArrayLike,
    scores: ArrayLike,
    sigmas: ArrayLike,
    *,
    images: ArrayLike | None = None,
) -> dict[str, float]:
    """Score poses against ground truth as COCO does.

    Args:
        ground_truth: the annotations, from `read_ground_truth`.
        image_ids: (N,) the image of each pose.
        keypoints: (N, K, 2 or more) keypoints in pixels of the source image; x and y
            come first.
        scores: (N,) person scores.
        sigmas: (K,) OKS standard deviations.
        images: ids of the images to score; all of the ground truth by default.

    Returns:
        Dict of the ten `FIGURES`. As in pycocotools, a figure is -1 where there is
        no person of that size.

    Raises:
        ValueError: if a pose has a keypoint or score that is not finite, or lies in an
            image that the ground truth does not have.
    """
    ids = np.asarray(image_ids, np.int64)
    scores = np.asarray(scores, np.float64)
    points = np.asarray(keypoints, np.float64)[..., :2]
    _check_poses(ground_truth, ids, points, scores)
    chosen = ground_truth.image_ids
    if images is not None:
        chosen = np.intersect1d(chosen, np.asarray(images, np.int64))
    best = _best_of_each_image(ids, scores)
    best = best[np.isin(ids[best], chosen)]
    # Numbers from 1 for images, in the order of their ids, which decides between
    # equal scores: any id will do, and so do ids that one of the scorers would refuse.
    numbers = {image_id: n for n, image_id in enumerate(chosen.tolist(), 1)}
    figures = coco_figures(
        _dataset(ground_truth.people, numbers),
        np.array([numbers[image_id] for image_id in ids[best].tolist()], np.int64),
        points[best],
        scores[best],
        sigmas,
    )
    return dict(zip(FIGURES, figures, strict=True))


def _check_poses(ground_truth, image_ids, points, scores):
    """Raise where poses cannot be scored: NaN would count as a perfect match."""
    for name, values in {"keypoints": points, "scores": scores}.items():
        bad = ~np.isfinite(values).all(axis=tuple(range(1, values.ndim)))
        if bad.any():
            raise ValueError(
                f"{name} of poses must be finite. Received: {np.count_nonzero(bad)} "
                f"of {len(bad)} poses with NaN or infinity, the first in image "
                f"{image_ids[bad.argmax()]}"
            )
    unknown = np.setdiff1d(image_ids, ground_truth.image_ids)
    if len(unknown):
        raise ValueError(
            "poses must lie in images of the ground truth. "
            f"Received: image {unknown[0]}"
        )


def _best_of_each_image(image_ids, scores):
    """Indices of the poses that COCO's evaluation reads, by image, best first."""
    order = np.lexsort((-scores, image_ids))
    _, starts, counts = np.unique(
        image_ids[order], return_index=True, return_counts=True
    )
    rank = np.arange(len(order)) - np.repeat(starts, counts)
    return order[rank < MAX_POSES]


def _dataset(people, numbers):
    """The people of the images in ``numbers`` (id -> number) as a COCO data set."""
    chosen = (person for person in people if person["image_id"] in numbers)
    return {
        "images": [{"id": number} for number in numbers.values()],
        # From 1 too: pycocotools takes a match with annotation 0 for no match.
        "annotations": [
            {**person, "id": n, "image_id": numbers[person["image_id"]]}
            for n, person in enumerate(chosen, 1)
        ],
        "categories": [{"id": 1, "name": "person"}],
    }


def flat_triples(keypoints: np.ndarray, scores: np.ndarray) -> list[list[float]]:
    """N lists of x, y and score of each of K keypoints, as COCO's results have them.

    Args:
        keypoints: (N, K, 2) pixels; written to a thousandth.
        scores: (N, K).
    """
    triples = np.concatenate([keypoints, scores[..., None]], axis=-1, dtype=np.float64)
    return triples.reshape(len(triples), 3 * triples.shape[1]).round(3).tolist()


def pose_results(
    keypoints: np.ndarray,
    keypoint_scores: np.ndarray,
    boxes_xywh: np.ndarray,
    box_scores: np.ndarray,
    *,
    person_scores: Callable = rescore,
) -> list[Json]:
    """Describe poses in COCO's result format.

    Args:
        keypoints: (N, K, 2) pixels.
        keypoint_scores: (N, K).
        boxes_xywh: (N, 4) person boxes.
        box_scores: (N,).
        person_scores: function of ``keypoint_scores`` and ``box_scores``.

    Returns:
        list of N dicts: ``category_id`` 1, ``bbox``, ``score`` of the person and
        ``keypoints``, x, y and score of each.
    """
    triples = flat_triples(keypoints, keypoint_scores)
    scores = person_scores(keypoint_scores, box_scores)
    return [
        {
            "category_id": 1,
            "bbox": [round(float(v), 2) for v in box],
            "score": round(float(score), 5),
            "keypoints": pose,
        }
        for pose, score, box in zip(triples, scores, boxes_xywh, strict=True)
    ]
