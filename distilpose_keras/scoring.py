"""Scoring: person scores, OKS non-maximum suppression and COCO AP."""

import contextlib
import io

import numpy as np

from distilpose_keras.data.truth import truth_document

KEYPOINT_SCORE_THRESHOLD = 0.2  # a keypoint below it says nothing about the person
NMS_THRESHOLD = 0.9  # two poses of one image with a larger OKS are the same person

# The figures of a COCO keypoint evaluation, in pycocotools' order.
FIGURES = ("AP", "AP50", "AP75", "APM", "APL", "AR", "AR50", "AR75", "ARM", "ARL")


def rescore(keypoint_scores, box_scores, *, threshold=KEYPOINT_SCORE_THRESHOLD):
    """Score persons: box score times the mean of the confident keypoints' scores.

    Args:
        keypoint_scores: (N, K) scores of the keypoints.
        box_scores: (N,) scores of the person boxes, 1 for ground truth.
        threshold: keypoints that do not exceed it are left out of the mean; a
            person without any left has score 0.

    Returns:
        (N,) float64 person scores.
    """
    scores = np.asarray(keypoint_scores, np.float64)
    confident = scores > threshold
    total = np.where(confident, scores, 0.0).sum(axis=1)
    mean = total / np.maximum(confident.sum(axis=1), 1)
    return mean * np.asarray(box_scores, np.float64)


def pairwise_oks(keypoints, areas, sigmas):
    """Object keypoint similarity of every pose with every other one.

    The similarity of COCO's keypoint evaluation, over all keypoints, with the mean
    of the two persons' areas.

    Args:
        keypoints: (N, K, 2 or more) keypoints in pixels; x and y come first.
        areas: (N,) areas of the persons in square pixels.
        sigmas: (K,) OKS standard deviations.

    Returns:
        (N, N) float64 similarities in [0, 1].
    """
    points = np.asarray(keypoints, np.float64)[..., :2]
    areas = np.asarray(areas, np.float64)
    squared = ((points[:, None] - points[None]) ** 2).sum(axis=-1)  # (N, N, K)
    area = (areas[:, None] + areas[None]) / 2 + np.spacing(1)
    variances = (2 * np.asarray(sigmas, np.float64)) ** 2
    return np.exp(-squared / variances / area[..., None] / 2).mean(axis=-1)


def oks_nms(keypoints, areas, scores, sigmas, *, threshold=NMS_THRESHOLD):
    """Suppress poses that resemble a better one of the same image.

    Args:
        keypoints: (N, K, 2 or more) keypoints in pixels.
        areas: (N,) areas of the persons in square pixels.
        scores: (N,) person scores.
        sigmas: (K,) OKS standard deviations.
        threshold: a pose whose OKS with a kept one exceeds it is dropped.

    Returns:
        Indices of the survivors, best first.
    """
    order = np.argsort(-np.asarray(scores, np.float64), kind="stable")
    similar = pairwise_oks(keypoints, areas, sigmas) > threshold
    alive = np.ones(len(order), bool)
    kept = []
    for index in order:
        if alive[index]:
            kept.append(index)
            alive &= ~similar[index]
    return np.array(kept, np.int64)


def select_poses(
    image_ids, keypoints, areas, scores, sigmas, *, threshold=NMS_THRESHOLD
):
    """Apply `oks_nms` within each image.

    Args:
        image_ids: (N,) the image of each pose.
        keypoints: (N, K, 2 or more) keypoints in pixels.
        areas: (N,) areas of the persons in square pixels.
        scores: (N,) person scores.
        sigmas: (K,) OKS standard deviations.
        threshold: see `oks_nms`.

    Returns:
        Indices of the survivors of all images.
    """
    if not len(image_ids):
        return np.zeros(0, np.int64)
    ids = np.asarray(image_ids)
    order = np.argsort(ids, kind="stable")
    borders = np.flatnonzero(np.diff(ids[order])) + 1
    survivors = []
    for group in np.split(order, borders):
        kept = oks_nms(
            keypoints[group], areas[group], scores[group], sigmas, threshold=threshold
        )
        survivors.append(group[kept])
    return np.concatenate(survivors)


def read_ground_truth(people):
    """Read the annotations behind a `PeopleIndex` for `score_coco`.

    All people of the file count, also those that the index left out for their boxes,
    as in COCO's own evaluation. Of an index that is a part of its file
    (`PeopleIndex.take`), the others neither count as missed nor as found.

    Args:
        people: a `PeopleIndex`.

    Returns:
        A `pycocotools.coco.COCO`, and whether the index covers the whole file.
    """
    from pycocotools.coco import COCO

    coco = COCO()
    coco.dataset, complete = truth_document(people)
    with silence():
        coco.createIndex()
    return coco, complete


def score_coco(ground_truth, image_ids, keypoints, scores, sigmas, *, images=None):
    """Score poses against ground truth as COCO does, with pycocotools.

    Args:
        ground_truth: the annotations, from `read_ground_truth`.
        image_ids: (N,) the image of each pose.
        keypoints: (N, K, 2) keypoints in pixels of the source image.
        scores: (N,) person scores.
        sigmas: (K,) OKS standard deviations.
        images: ids of the images to score; all of the ground truth by default.

    Returns:
        Dict of the ten `FIGURES`. As in pycocotools, a figure is -1 where there is
        no person of that size.
    """
    from pycocotools.cocoeval import COCOeval

    with silence():
        found = _results(ground_truth, image_ids, keypoints, scores)
        evaluation = COCOeval(ground_truth, found, "keypoints")
        evaluation.params.kpt_oks_sigmas = np.asarray(sigmas, np.float64)
        if images is not None:
            evaluation.params.imgIds = sorted({int(i) for i in images})
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return dict(zip(FIGURES, map(float, evaluation.stats), strict=True))


def _results(ground_truth, image_ids, keypoints, scores):
    """Poses as pycocotools wants them: a COCO object beside the ground truth's."""
    from pycocotools.coco import COCO

    poses = np.asarray(keypoints, np.float64)[..., :2]
    flat = np.concatenate([poses, np.ones((*poses.shape[:2], 1))], axis=-1)
    results = [
        {
            "image_id": int(image_id),
            "category_id": 1,
            "keypoints": pose.ravel().tolist(),
            "score": float(score),
        }
        for image_id, pose, score in zip(image_ids, flat, scores, strict=True)
    ]
    if results:
        return ground_truth.loadRes(results)
    empty = COCO()  # loadRes fails on an empty list
    empty.dataset = {**ground_truth.dataset, "annotations": []}
    empty.createIndex()
    return empty


def pose_results(keypoints, keypoint_scores, boxes_xywh, box_scores):
    """Describe poses in COCO's result format.

    Args:
        keypoints: (N, K, 2) pixels.
        keypoint_scores: (N, K).
        boxes_xywh: (N, 4) person boxes.
        box_scores: (N,).

    Returns:
        list of N dicts: ``category_id`` 1, ``bbox``, ``score`` (see `rescore`) and
        ``keypoints``, x, y and score of each.
    """
    triples = np.concatenate([keypoints, keypoint_scores[..., None]], axis=-1)
    scores = rescore(keypoint_scores, box_scores)
    return [
        {
            "category_id": 1,
            "bbox": [round(float(v), 2) for v in box],
            "score": round(float(score), 5),
            "keypoints": [round(float(v), 3) for v in pose.ravel()],
        }
        for pose, score, box in zip(triples, scores, boxes_xywh, strict=True)
    ]


def silence():
    """Keep what pycocotools prints out of the user's terminal."""
    return contextlib.redirect_stdout(io.StringIO())
