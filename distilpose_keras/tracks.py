"""Who is who from frame to frame: poses joined to tracks by their similarity.

As ByteTrack does (Zhang et al., ECCV 2022), sure poses are joined to tracks first and
unsure ones to what is left; in place of the overlap of boxes stands the similarity of
keypoints (OKS), which tells people apart where their boxes cover each other.

Legend: N poses, T tracks, K keypoints.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from distilpose_keras.oks import keypoint_similarity

SURE = 0.5  # box score from which a pose may begin a track
LEAST_SCORE = 0.1  # box score of a pose that may go on with a track
LEAST_SIMILARITY = 0.2  # of a sure pose and a track; twice as much of an unsure one
SEEN = 0.2  # score of a keypoint that is compared
LEAST_SEEN = 3  # keypoints, where fewer are seen all are compared
LOST_SECONDS = 2.0  # that a track waits for its person
# A pose may move as far as COCO's annotators disagree, times this, within a frame, and
# farther by as much again in each second that it was not seen.
TOLERANCE, TOLERANCE_PER_SECOND = 2.0, 2.0
INERTIA = 0.7  # of the speed of a track


@dataclass
class Track:
    """A person who is followed.

    Attributes:
        id: from 1.
        keypoints: (K, 2) pixels, when last seen.
        scores: (K,).
        box: (4,) left, top, width, height in pixels.
        box_score: of the last box that was found.
        seconds: when last seen.
        velocity: (2,) pixels a second.
        hits: frames in which the person was seen.
    """

    id: int
    keypoints: np.ndarray
    scores: np.ndarray
    box: np.ndarray
    box_score: float
    seconds: float
    velocity: np.ndarray
    hits: int = 1

    def keypoints_at(self, seconds: float) -> np.ndarray:
        """(K, 2) pixels at a time, if the person goes on as before."""
        # Nobody is known to go on for long.
        passed = min(seconds - self.seconds, LOST_SECONDS / 4)
        return self.keypoints + self.velocity * passed

    def see(self, keypoints, scores, box, box_score, seconds):
        """Take over what was seen of the person."""
        passed = max(seconds - self.seconds, 1e-3)
        moved = np.median(keypoints - self.keypoints, axis=0) / passed
        share = INERTIA if self.hits > 1 else 0.0
        self.velocity = share * self.velocity + (1 - share) * moved
        self.keypoints, self.scores, self.box = keypoints, scores, box
        self.box_score, self.seconds = float(box_score), seconds
        self.hits += 1


class Tracks:
    """The tracks of one video.

    Attributes:
        alive: the `Track` objects that are followed or waited for.
    """

    def __init__(self, sigmas: np.ndarray, *, similarity: Callable | None = None):
        """Begin without tracks.

        Args:
            sigmas: (K,) OKS standard deviations.
            similarity: function of these tracks, keypoints (N, K, 2), scores (N, K),
                boxes (N, 4) and seconds that returns (T, N) similarities in [0, 1];
                by default that of keypoints.
        """
        self.sigmas = np.asarray(sigmas, np.float64)
        self.alive: list[Track] = []
        self._similarity = similarity or pose_similarity
        self._next_id = 1

    def join(
        self,
        keypoints: np.ndarray,
        scores: np.ndarray,
        boxes: np.ndarray,
        box_scores: np.ndarray,
        seconds: float,
    ) -> np.ndarray:
        """Give each pose of a frame the number of its person.

        Args:
            keypoints: (N, K, 2) pixels.
            scores: (N, K).
            boxes: (N, 4) left, top, width, height in pixels.
            box_scores: (N,).
            seconds: time of the frame; ascending.

        Returns:
            (N,) int ids from 1; 0 for a pose that is too unsure to begin a track.
        """
        self.alive = [t for t in self.alive if seconds - t.seconds <= LOST_SECONDS]
        ids = np.zeros(len(keypoints), int)
        tracks = list(self.alive)
        alike = self._similarity(self, keypoints, scores, boxes, seconds)
        free = np.ones(len(tracks), bool)
        sure = box_scores >= SURE
        unsure = ~sure & (box_scores >= LEAST_SCORE)
        for group, least in ((sure, LEAST_SIMILARITY), (unsure, 2 * LEAST_SIMILARITY)):
            for row, column in assign(alike, free, group, least):
                free[row] = False
                ids[column] = tracks[row].id
                seen = keypoints[column], scores[column], boxes[column]
                tracks[row].see(*seen, box_scores[column], seconds)
        for n in np.flatnonzero(sure & (ids == 0)):
            ids[n] = self._begin(
                keypoints[n], scores[n], boxes[n], box_scores[n], seconds
            )
        return ids

    def _begin(self, keypoints, scores, box, box_score, seconds):
        track = Track(
            self._next_id,
            keypoints,
            scores,
            box,
            float(box_score),
            seconds,
            np.zeros(2),
        )
        self.alive.append(track)
        self._next_id += 1
        return track.id


def assign(
    alike: np.ndarray, rows: np.ndarray, columns: np.ndarray, least: float
) -> list[tuple[int, int]]:
    """Pair rows with columns so that the sum of similarities is greatest.

    Args:
        alike: (T, N) similarities.
        rows: (T,) bool, those that may be paired.
        columns: (N,) bool.
        least: similarity that a pair must have.

    Returns:
        Pairs of a row and a column.
    """
    (rows,), (columns,) = rows.nonzero(), columns.nonzero()
    values = alike[np.ix_(rows, columns)]
    values = np.where(values >= least, values, 0.0)
    pairs = zip(*linear_sum_assignment(values, maximize=True), strict=True)
    return [(rows[i], columns[j]) for i, j in pairs if values[i, j] > 0]


def pose_similarity(
    tracks: Tracks,
    keypoints: np.ndarray,
    scores: np.ndarray,
    boxes: np.ndarray,
    seconds: float,
) -> np.ndarray:
    """Return (T, N) OKS of tracks and poses over the keypoints that both show."""
    alike = np.zeros((len(tracks.alive), len(keypoints)))
    areas = np.prod(boxes[:, 2:], axis=1)
    for row, track in zip(alike, tracks.alive, strict=True):
        if not len(keypoints):
            continue
        lost = seconds - track.seconds
        tolerance = TOLERANCE + TOLERANCE_PER_SECOND * lost
        there = np.broadcast_to(track.keypoints_at(seconds), keypoints.shape)
        size = (areas + np.prod(track.box[2:])) / 2
        terms = keypoint_similarity(
            keypoints, there, size, tracks.sigmas * tolerance
        )  # (N, K)
        shown = (scores > SEEN) & (track.scores > SEEN)
        shown |= (shown.sum(axis=1) < LEAST_SEEN)[:, None]
        row[:] = (terms * shown).sum(axis=1) / shown.sum(axis=1)
    return alike


def box_similarity(
    tracks: Tracks,
    keypoints: np.ndarray,
    scores: np.ndarray,
    boxes: np.ndarray,
    seconds: float,
) -> np.ndarray:
    """Return (T, N) overlap (IoU) of the boxes of tracks and poses."""
    there = np.array(
        [
            [*(t.box[:2] + (t.keypoints_at(seconds) - t.keypoints)[0]), *t.box[2:]]
            for t in tracks.alive
        ]
    ).reshape(-1, 4)
    return overlaps(there, boxes)


def overlaps(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return (M, N) intersection over union of boxes (M, 4) and others (N, 4)."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    ends, other_ends = boxes[:, :2] + boxes[:, 2:], others[:, :2] + others[:, 2:]
    high = np.minimum(ends[:, None], other_ends[None])
    shared = np.prod(np.maximum(high - low, 0), axis=-1)
    areas = np.prod(boxes[:, 2:], axis=1)[:, None] + np.prod(others[:, 2:], axis=1)
    return shared / np.maximum(areas - shared, 1e-9)
