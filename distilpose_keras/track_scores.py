"""How well people are followed: MOTA, IDF1 and jitter.

MOTA: Bernardin and Stiefelhagen, "Evaluating Multiple Object Tracking Performance: The
CLEAR MOT Metrics", 2008. IDF1: Ristani et al., "Performance Measures and a Data Set for
Multi-Target, Multi-Camera Tracking", 2016.
"""

from collections import Counter

import numpy as np
from scipy.optimize import linear_sum_assignment

from distilpose_keras.tracks import assign

LEAST = 0.5  # similarity of a person and a pose that is taken for them


class TrackScore:
    """Compares the tracks of a video with the truth, frame by frame."""

    def __init__(self) -> None:
        """Begin a video."""
        self._last: dict[int, int] = {}  # the track that each person had
        self._pairs: Counter = Counter()
        self._people: Counter = Counter()
        self._tracks: Counter = Counter()
        self.missed = self.wrong = self.switches = 0

    def add(self, people: np.ndarray, tracks: np.ndarray, alike: np.ndarray) -> None:
        """Take one frame.

        Args:
            people: (P,) ids of those who are there.
            tracks: (N,) ids of those who were found.
            alike: (P, N) similarities in [0, 1].
        """
        rows, columns = np.ones(len(people), bool), np.ones(len(tracks), bool)
        pairs = []
        for row, person in enumerate(people):  # who was followed still is, if they can
            same = np.flatnonzero(tracks == self._last.get(int(person), -1))
            if len(same) and columns[same[0]] and alike[row, same[0]] >= LEAST:
                pairs.append((row, same[0]))
                rows[row] = columns[same[0]] = False
        pairs += assign(alike, rows, columns, LEAST)
        for row, column in pairs:
            person, track = int(people[row]), int(tracks[column])
            self.switches += self._last.get(person, track) != track
            self._last[person] = track
        self.missed += len(people) - len(pairs)
        self.wrong += len(tracks) - len(pairs)
        self._people.update(map(int, people))
        self._tracks.update(map(int, tracks))
        for row, column in np.argwhere(alike >= LEAST):
            self._pairs[int(people[row]), int(tracks[column])] += 1

    @property
    def mota(self) -> float:
        """1 less the share of misses, false tracks and switches of people."""
        mistakes = self.missed + self.wrong + self.switches
        return 1 - mistakes / max(sum(self._people.values()), 1)

    @property
    def idf1(self) -> float:
        """F1 of the frames in which people have the track that suits them best."""
        people, tracks = sorted(self._people), sorted(self._tracks)
        together = np.array([[self._pairs[p, t] for t in tracks] for p in people])
        if not together.size:
            return 0.0
        right = together[linear_sum_assignment(together, maximize=True)].sum()
        return float(2 * right / (self._people.total() + self._tracks.total()))


def jitter(keypoints: np.ndarray, truth: np.ndarray) -> float:
    """Mean movement from frame to frame that the truth does not make.

    Args:
        keypoints: (F, K, 2) pixels of one person in frames that follow each other.
        truth: (F, K, 2).

    Returns:
        Pixels per frame.
    """
    error = np.asarray(keypoints) - truth
    return float(np.linalg.norm(np.diff(error, axis=0), axis=-1).mean())
