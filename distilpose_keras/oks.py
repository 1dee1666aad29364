"""Object keypoint similarity (OKS) and the suppression of poses found twice."""

import numpy as np
from numpy.typing import ArrayLike

NMS_THRESHOLD = 0.9  # two poses of one image with a larger OKS are the same person


def keypoint_similarity(
    points: ArrayLike, others: ArrayLike, areas: ArrayLike, sigmas: ArrayLike
) -> np.ndarray:
    """Similarity of keypoints to others as COCO's evaluation defines it, one by one.

    Its mean over the keypoints is the object keypoint similarity (OKS) of two poses.

    Args:
        points: (N, K, 2) pixels.
        others: (N, K, 2) pixels.
        areas: (N,) areas of the persons in square pixels.
        sigmas: (K,) OKS standard deviations.

    Returns:
        (N, K) float64 similarities in [0, 1].
    """
    offset = np.subtract(points, others, dtype=np.float64)
    offset *= offset
    exponent = offset[..., 0] + offset[..., 1]
    exponent /= -((2 * np.asarray(sigmas, np.float64)) ** 2)
    exponent /= (np.asarray(areas, np.float64) + np.spacing(1))[:, None]
    exponent /= 2
    return np.exp(exponent, out=exponent)


def oks_nms(
    keypoints: ArrayLike,
    areas: ArrayLike,
    scores: np.ndarray,
    sigmas: ArrayLike,
    *,
    threshold: float = NMS_THRESHOLD,
) -> np.ndarray:
    """Suppress poses that resemble a better one of the same image.

    Args:
        keypoints: (N, K, 2 or more) keypoints in pixels.
        areas: (N,) areas of the persons in square pixels.
        scores: (N,) person scores.
        sigmas: (K,) OKS standard deviations.
        threshold: a pose whose OKS with a kept one exceeds it is dropped. The OKS is
            over all keypoints, with the mean of the two persons' areas.

    Returns:
        Indices of the survivors, best first.
    """
    one_image = np.zeros(len(scores), np.int64)
    return select_poses(
        one_image, keypoints, areas, scores, sigmas, threshold=threshold
    )


def select_poses(
    image_ids: ArrayLike,
    keypoints: ArrayLike,
    areas: ArrayLike,
    scores: ArrayLike,
    sigmas: ArrayLike,
    *,
    threshold: float = NMS_THRESHOLD,
) -> np.ndarray:
    """Apply `oks_nms` within each image.

    Args:
        image_ids: (N,) the image of each pose.
        keypoints: (N, K, 2 or more) keypoints in pixels.
        areas: (N,) areas of the persons in square pixels.
        scores: (N,) person scores.
        sigmas: (K,) OKS standard deviations.
        threshold: see `oks_nms`.

    Returns:
        Indices of the survivors of all images: by image, best first.
    """
    ids = np.asarray(image_ids)
    order = np.lexsort((-np.asarray(scores, np.float64), ids))
    points = np.asarray(keypoints, np.float64)[order, :, :2]
    pairs = _similar_pairs(
        ids[order], points, np.asarray(areas, np.float64)[order], sigmas, threshold
    )
    alive = [True] * len(order)
    # Sorted: by the time that a pose suppresses others, its own fate is known.
    for better, worse in sorted(pairs):
        if alive[better]:
            alive[worse] = False
    return order[np.array(alive, bool)]


def _similar_pairs(image_ids, points, areas, sigmas, threshold):
    """Find the poses of one image whose OKS exceeds the threshold.

    Args:
        image_ids: (N,) the image of each pose; poses of one image are neighbours.
        points: (N, K, 2) pixels.
        areas: (N,) square pixels.
        sigmas: (K,) OKS standard deviations.
        threshold: of the OKS.

    Returns:
        List of pairs of indices, the smaller one first.
    """
    sigmas = np.asarray(sigmas, np.float64)
    # No similarity exceeds 1. So if the mean of K exceeds the threshold, those of any
    # few keypoints together lack less than K (1 - threshold): most pairs end here.
    lack = len(sigmas) * (1 - threshold)
    few = max(1, int(lack) + 1)
    few_points = np.ascontiguousarray(points[:, :few])
    pairs = []
    for step in range(1, len(image_ids)):
        first = np.flatnonzero(image_ids[step:] == image_ids[:-step])
        if not len(first):  # no image has more poses
            break
        terms = _compare(first, step, few_points, areas, sigmas[:few])
        # A hair more than the bound: the terms and their sum are rounded.
        first = first[(1 - terms).sum(axis=1) < lack + 1e-9]
        terms = _compare(first, step, points, areas, sigmas)
        first = first[terms.mean(axis=1) > threshold]
        pairs.extend(zip(first.tolist(), (first + step).tolist(), strict=True))
    return pairs


def _compare(first, step, points, areas, sigmas):
    """Similarities (n, K) of the keypoints of poses to those ``step`` places on."""
    second = first + step
    return keypoint_similarity(
        points.take(first, axis=0),
        points.take(second, axis=0),
        (areas[first] + areas[second]) / 2,
        sigmas,
    )
