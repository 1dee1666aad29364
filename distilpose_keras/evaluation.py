"""Evaluation: COCO AP of any model or model file. Files need no Keras."""

import time
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.progress import Progress

from distilpose_keras.crops import crop_batches
from distilpose_keras.data.transforms import box_to_center_scale
from distilpose_keras.geometry import PIXEL_STD
from distilpose_keras.keypoint_names import match_names
from distilpose_keras.oks import NMS_THRESHOLD, oks_nms, select_poses
from distilpose_keras.predictor import PosePredictor
from distilpose_keras.scoring import FIGURES, read_ground_truth, rescore, score_coco
from distilpose_keras.types import FilePath

if TYPE_CHECKING:
    from distilpose_keras.data.people_index import PeopleIndex
    from distilpose_keras.models.model import PoseModel

__all__ = [
    "FIGURES",
    "evaluate",
    "oks_nms",
    "predict_people",
    "rescore",
    "score_coco",
]


def evaluate(
    predictor: "PosePredictor | PoseModel | FilePath",
    people: "PeopleIndex",
    *,
    boxes: "PeopleIndex | None" = None,
    flip: bool = False,
    batch_size: int = 32,
    limit: int | None = None,
    nms: float = NMS_THRESHOLD,
    progress: bool = False,
) -> dict[str, Any]:
    """Score a model by COCO's keypoint evaluation.

    Boxes -> crops -> keypoints -> person scores (the model's rule) -> OKS-NMS -> AP.

    Args:
        predictor: a `PosePredictor`, or what its constructor takes.
        people: the ground truth, a `PeopleIndex`; its boxes are used where no others
            are given.
        boxes: a `PeopleIndex` of detections (`load_detections`), or None.
        flip: average with the mirrored crops.
        batch_size: crops run at once.
        limit: a quick look: only the first ``limit`` people, or the first ``limit``
            of ``boxes`` in the images that they lie in.
        nms: OKS above which two poses of an image are one person.
        progress: show a progress bar.

    Returns:
        Dict of the ten figures `AP` `AP50` `AP75` `APM` `APL` `AR` `AR50` `AR75`
        `ARM` `ARL` (-1 where the data has no person of that size), `instances` (the
        boxes that were run) and `seconds`.

    Raises:
        ValueError: if the model's keypoints are not those of the data or not finite,
            there is nothing to score, or an image cannot be read.
    """
    if not isinstance(predictor, PosePredictor):
        predictor = PosePredictor(predictor)
    _check(predictor, people)
    start = time.perf_counter()
    truth, boxes, images = _select(people, boxes, limit)
    keypoints, scores = predict_people(
        predictor, boxes, flip=flip, batch_size=batch_size, progress=progress
    )
    person_scores = predictor.person_scores(scores, boxes.scores)
    figures = score_poses(
        predictor, truth, boxes, keypoints, person_scores, images=images, nms=nms
    )
    seconds = time.perf_counter() - start
    return {**figures, "instances": len(boxes), "seconds": seconds}


def score_poses(
    predictor: PosePredictor,
    truth: Any,
    boxes: "PeopleIndex",
    keypoints: np.ndarray,
    person_scores: np.ndarray,
    *,
    images: np.ndarray | None = None,
    nms: float = NMS_THRESHOLD,
) -> dict[str, float]:
    """Score poses that were found already: OKS-NMS, then COCO's ten figures.

    Args:
        predictor: the `PosePredictor` that found them.
        truth: the ground truth, of `read_ground_truth`.
        boxes: the `PeopleIndex` of the N boxes that were run.
        keypoints: (N, K, 2) pixels.
        person_scores: (N,) how sure each pose is.
        images: ids of the images that count; None for all.
        nms: OKS above which two poses of an image are one person.
    """
    _, scales = box_to_center_scale(
        boxes.boxes_xywh, input_size=predictor.input_size, geometry=predictor.geometry
    )
    image_ids, sigmas = _image_ids(boxes), boxes.schema.sigmas
    kept = select_poses(
        image_ids,
        keypoints,
        np.prod(scales * PIXEL_STD, axis=1),
        person_scores,
        sigmas,
        threshold=nms,
    )
    return score_coco(
        truth,
        image_ids[kept],
        keypoints[kept],
        person_scores[kept],
        sigmas,
        images=images,
    )


def _select(people, boxes, limit):
    """What is scored: ground truth, boxes to run, and image ids (None for all)."""
    if boxes is None:
        people = people.limit(limit)
        return read_ground_truth(people)[0], people, None
    truth, complete = read_ground_truth(people)
    images = None
    if not complete:
        images = np.unique(_image_ids(people))
        boxes = boxes.take(np.flatnonzero(np.isin(_image_ids(boxes), images)))
    if limit is not None:
        boxes = boxes.limit(limit)
        images = np.unique(_image_ids(boxes))
    return truth, boxes, images


def predict_people(
    predictor: PosePredictor,
    people: "PeopleIndex",
    *,
    flip: bool = False,
    batch_size: int = 32,
    progress: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Find the keypoints of all people of an index.

    Args:
        predictor: a `PosePredictor`.
        people: a `PeopleIndex`; its boxes are cropped, each image is decoded once.
        flip: average with the mirrored crops.
        batch_size: crops run at once.
        progress: show a progress bar.

    Returns:
        keypoints (N, K, 2) float64 in pixels of the images and scores (N, K) float32,
        in the order of ``people`` and of their schema.

    Raises:
        ValueError: if the model does not predict the people's keypoints.
    """
    places = _places(predictor, people)
    keypoints = np.zeros((len(people), people.schema.num_keypoints, 2))
    scores = np.zeros(keypoints.shape[:2], np.float32)
    batches = crop_batches(
        people,
        input_size=predictor.input_size,
        batch_size=batch_size,
        geometry=predictor.geometry,
    )
    with Progress(transient=True, disable=not progress) as bar:
        task = bar.add_task("evaluating", total=len(people))
        for batch in batches:
            found, sure = predictor.predict_people(
                batch.crops, batch.centers, batch.scales, flip=flip
            )
            keypoints[batch.indices] = found[:, places]
            scores[batch.indices] = sure[:, places]
            bar.advance(task, len(batch.indices))
    return keypoints, scores


def _image_ids(people):
    """(N,) COCO ids of the people's images."""
    return people.image_ids[people.image_index]


def _check(predictor, people):
    """Raise where there is nothing to score or the keypoints differ."""
    _places(predictor, people)
    if not len(people):
        raise ValueError(
            f"nobody to evaluate in {people.annotation_file}: {people.summary()}"
        )


def _places(predictor, people):
    """Where the people's keypoints are among the model's: the order may differ."""
    try:
        places = match_names(people.schema.names, predictor.schema.names)
    except ValueError as error:
        raise ValueError(
            f"the model must predict the keypoints of {people.annotation_file}: {error}"
        ) from None
    lacking = [
        name for name, at in zip(people.schema.names, places, strict=True) if at < 0
    ]
    if lacking:
        raise ValueError(
            f"the model must predict the {len(places)} keypoints of "
            f"{people.annotation_file}. Received: a model of "
            f"{predictor.schema.num_keypoints}, without {', '.join(lacking)}"
        )
    return places
