"""Poses whose match hangs on the last bits of a similarity.

COCO's evaluation compares object keypoint similarities with thresholds and with each
other. Two scorers that add and exponentiate in another order are both right and differ
by a few units in the last place: enough to match a pose or not, where a similarity lies
on a threshold or a pose resembles two people alike.
"""

import numpy as np

from distilpose_keras.oks import keypoint_similarity

THRESHOLDS = np.linspace(0.5, 0.95, 10)  # of COCO's evaluation
MARGIN = 1e-12  # well above the rounding of a mean of similarities
PAIRS_AT_ONCE = 8192  # fit a processor's cache


def any_close_call(people, image_ids, points, sigmas):
    """Tell whether the match of any pose hangs on rounding.

    Args:
        people: annotations in COCO's format, with all fields.
        image_ids: (N,) the image of each pose.
        points: (N, K, 2) keypoints of the poses in pixels.
        sigmas: (K,) OKS standard deviations.

    Returns:
        True if, within an image, the similarity of a pose and a person is as good as
        equal to one of the `THRESHOLDS` or to that of the same pose and another person.
    """
    if not people or not len(image_ids):
        return False
    images = np.array([person["image_id"] for person in people])
    order = np.argsort(images, kind="stable")
    first, last = (
        np.searchsorted(images[order], image_ids, side=side)
        for side in ("left", "right")
    )
    pose = np.repeat(np.arange(len(image_ids)), last - first)
    # The n-th pair of a pose is with the n-th person of its image.
    nth = np.arange(len(pose)) - np.searchsorted(pose, pose)
    person = order[first[pose] + nth]
    table = _People(people)
    with np.errstate(over="ignore", invalid="ignore"):  # areas may be anything
        oks = [
            table.oks(points[pose[part]], person[part], sigmas)
            for part in _parts(len(pose))
        ]
    return _close(pose, np.concatenate(oks)) if oks else False


def _parts(count):
    """Slices that cover ``count`` pairs."""
    return [
        slice(start, start + PAIRS_AT_ONCE) for start in range(0, count, PAIRS_AT_ONCE)
    ]


class _People:
    """Annotations as arrays."""

    def __init__(self, people):
        keypoints = np.array([person["keypoints"] for person in people], np.float64)
        keypoints = keypoints.reshape(len(people), -1, 3)
        self._points = keypoints[..., :2]
        self._areas = np.array([person["area"] for person in people], np.float64)
        boxes = np.array([person["bbox"] for person in people], np.float64)
        # A person without labelled keypoints is a region: the box, doubled all around.
        self._low = (boxes[:, :2] - boxes[:, 2:])[:, None]
        self._high = (boxes[:, :2] + 2 * boxes[:, 2:])[:, None]
        self._counted = np.greater(keypoints[..., 2], 0)
        self._region = np.logical_not(self._counted.any(axis=1))
        self._counted[self._region] = True

    def oks(self, points, person, sigmas):
        """(n,) similarity of poses (n, K, 2) to people (n,), as COCO's evaluation."""
        others = self._points[person]
        region = self._region[person]
        inside = person[region]
        others[region] = np.clip(points[region], self._low[inside], self._high[inside])
        terms = keypoint_similarity(points, others, self._areas[person], sigmas)
        counted = self._counted[person]
        return (terms * counted).sum(axis=1) / counted.sum(axis=1)


def _close(pose, oks):
    """Whether similarities lie on a threshold, or two of one pose on each other."""
    if not np.isfinite(oks).all():
        return True
    matching = oks > THRESHOLDS[0] - MARGIN
    pose, oks = pose[matching], oks[matching]
    nearest = THRESHOLDS[np.argmin(np.abs(oks[:, None] - THRESHOLDS), axis=1)]
    if (np.abs(oks - nearest) < MARGIN).any():
        return True
    order = np.lexsort((oks, pose))
    pose, oks = pose[order], oks[order]
    # 1 is exact: that of a pose inside two regions is 1 for either, in any order.
    alike = (np.diff(pose) == 0) & (np.diff(oks) < MARGIN) & (oks[:-1] < 1)
    return bool(alike.any())
