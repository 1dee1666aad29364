"""The plain way to suppress and score poses: NumPy per image, and pycocotools.

It is what `distilpose_keras.oks` and `distilpose_keras.scoring` are measured against
and, in the tests, compared with.
"""

import contextlib
import io
from collections import defaultdict

import numpy as np


def read_annotations(path):
    """Read an annotation file into a `pycocotools.coco.COCO`."""
    from pycocotools.coco import COCO

    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(path))


def pairwise_oks(keypoints, areas, sigmas):
    """Object keypoint similarity of every pose with every other one: (N, N)."""
    squared = ((keypoints[:, None] - keypoints[None]) ** 2).sum(axis=-1)  # (N, N, K)
    area = (areas[:, None] + areas[None]) / 2 + np.spacing(1)
    variances = (2 * np.asarray(sigmas)) ** 2
    return np.exp(-squared / variances / area[..., None] / 2).mean(axis=-1)


def select_poses(image_ids, keypoints, areas, scores, sigmas, *, threshold):
    """See `distilpose_keras.oks.select_poses`."""
    images = defaultdict(list)
    for index, image_id in enumerate(image_ids):
        images[image_id].append(index)
    survivors = []
    for _, members in sorted(images.items()):
        members = np.array(members)
        similar = pairwise_oks(keypoints[members], areas[members], sigmas) > threshold
        alive = np.ones(len(members), bool)
        for index in np.argsort(-scores[members], kind="stable"):
            if alive[index]:
                survivors.append(members[index])
                alive &= ~similar[index]
    return np.array(survivors, np.int64)


def score_coco(truth, image_ids, keypoints, scores, sigmas, *, images=None):
    """Return pycocotools' ten figures of one category's poses.

    Args:
        truth: what `read_annotations` returned.
        image_ids: (N,) image of each pose, N at least 1.
        keypoints: (N, K, 2) pixels.
        scores: (N,) person scores.
        sigmas: (K,) OKS standard deviations.
        images: ids of the images to score; all by default.
    """
    from pycocotools.cocoeval import COCOeval

    (category,) = truth.getCatIds()
    triples = np.concatenate([keypoints, np.ones((*keypoints.shape[:2], 1))], axis=-1)
    results = [
        {
            "image_id": int(image_id),
            "category_id": category,
            "keypoints": pose.ravel().tolist(),
            "score": float(score),
        }
        for image_id, pose, score in zip(image_ids, triples, scores, strict=True)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(truth, truth.loadRes(results), "keypoints")
        evaluation.params.kpt_oks_sigmas = np.asarray(sigmas)
        if images is not None:
            evaluation.params.imgIds = list(images)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats
