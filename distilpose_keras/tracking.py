"""PoseTracker: people and their numbers over the frames of a video."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import ArrayLike

from distilpose_keras.oks import oks_nms
from distilpose_keras.smoothing import OneEuroFilter
from distilpose_keras.tracks import (
    LEAST_SIMILARITY,
    SEEN,
    Tracks,
    assign,
    pose_similarity,
)

if TYPE_CHECKING:
    from distilpose_keras.predictor import PosePredictor

# Around the seen keypoints, before a box has been found: left and right, above (the
# head is higher than eyes and ears), below; as shares of their extent.
MARGINS = (0.15, 0.12, 0.15, 0.06)
LEAST_FOLLOWED = 0.2  # mean score of the keypoints of a person who is still there
LEAST_EXTENT = 8.0  # pixels of a person who is followed
SAME_PERSON = 0.7  # OKS of two tracks that have met on one person


class Finder(Protocol):
    """What finds people in an image, such as `distilpose_keras.detection`'s."""

    def find(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return boxes (N, 4) left, top, width, height and scores (N,)."""
        ...


@dataclass(frozen=True)
class TrackedPoses:
    """The people of one frame.

    Attributes:
        ids: (N,) numbers of the people from 1; 0 for poses too unsure to be followed.
        keypoints: (N, K, 2) float64 x and y in pixels of the image.
        scores: (N, K) float32 confidences of the keypoints.
        boxes: (N, 4) left, top, width, height in pixels.
        box_scores: (N,) scores of the boxes, or of the last that were found.
    """

    ids: np.ndarray
    keypoints: np.ndarray
    scores: np.ndarray
    boxes: np.ndarray
    box_scores: np.ndarray

    def __len__(self) -> int:
        """Return the number of people, N."""
        return len(self.keypoints)


class PoseTracker:
    """Finds people in the frames of a video, one by one, and says who is who.

    Example:
        >>> tracker = PoseTracker(PosePredictor("student.tflite"), detect_every=5)
        >>> for image in frames:
        ...     people = tracker.update(image)
        ...     print(people.ids, people.keypoints.shape)

    Attributes:
        tracks: the `Tracks` so far.
    """

    def __init__(
        self,
        predictor: "PosePredictor",
        finder: Finder | None = None,
        *,
        detect_every: int = 1,
        smooth: bool = False,
        flip: bool = False,
        fps: float = 25.0,
    ) -> None:
        """Begin a video.

        Args:
            predictor: the `PosePredictor`.
            finder: what finds people; the library's own by default.
            detect_every: it looks at every N-th frame; in between people are followed
                by the box of their last pose.
            smooth: filter keypoints over time, see `OneEuroFilter`.
            flip: average with the mirrored crops.
            fps: frames a second where `update` is not told the time.

        Raises:
            ValueError: if ``detect_every`` or ``fps`` is not positive.
        """
        if detect_every < 1:
            raise ValueError(
                f"detect_every must be at least 1. Received: {detect_every}"
            )
        if not fps > 0:
            raise ValueError(f"fps must be above 0. Received: {fps}")
        self.predictor, self.detect_every, self.flip = predictor, detect_every, flip
        self._finder, self._smooth, self._fps = finder, smooth, fps
        self.reset()

    def reset(self) -> None:
        """Forget everybody: another video begins, with numbers from 1."""
        self.tracks = Tracks(self.predictor.schema.sigmas)
        self._filters: dict[int, OneEuroFilter] = {}
        self._margins: dict[int, np.ndarray] = {}
        self._frame, self._seconds, self._detected = 0, 0.0, 0.0

    @property
    def detects_next(self) -> bool:
        """Whether the next frame is one that people are looked for in."""
        return self._frame % self.detect_every == 0

    def update(
        self,
        image: np.ndarray,
        boxes: ArrayLike | None = None,
        box_scores: ArrayLike | None = None,
        *,
        seconds: float | None = None,
    ) -> TrackedPoses:
        """Find the people of the next frame.

        Args:
            image: (height, width, 3) uint8 RGB.
            boxes: (N, 4) person boxes where they are known; by default the finder
                looks for them in every N-th frame.
            box_scores: (N,) their scores; 1 by default.
            seconds: time of the frame, later than the last one's.

        Returns:
            `TrackedPoses`.

        Raises:
            ValueError: if the image or the boxes have another shape or type.
        """
        if seconds is None:
            seconds = self._seconds + 1 / self._fps if self._frame else 0.0
        if boxes is None and self.detects_next:
            boxes, box_scores = self._find(image)
        self._frame, self._seconds = self._frame + 1, seconds
        if boxes is None:
            found = self._follow(image, seconds)
        else:
            found = self._join(image, boxes, box_scores, seconds)
        return self._smoothed(found, seconds) if self._smooth else found

    def _find(self, image):
        if self._finder is None:
            from distilpose_keras.detection import PersonFinder

            self._finder = PersonFinder()
        return self._finder.find(image)

    def _join(self, image, boxes, box_scores, seconds):
        """Poses in boxes that were found, joined to the tracks."""
        self._detected = seconds
        boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
        if box_scores is None:
            box_scores = np.ones(len(boxes))
        box_scores = np.asarray(box_scores, np.float64)
        found = self.predictor.predict(image, boxes, flip=self.flip)
        ids = self.tracks.join(
            found.keypoints, found.scores, boxes, box_scores, seconds
        )
        for n in np.flatnonzero(ids):
            extent = _extent(found.keypoints[n], found.scores[n])
            self._margins[ids[n]] = _margins_of(boxes[n], extent)
        return TrackedPoses(ids, found.keypoints, found.scores, boxes, box_scores)

    def _follow(self, image, seconds):
        """Poses in the boxes that the tracks should have by now, joined to them."""
        tracks, size = self.tracks.alive, np.array(image.shape[1::-1])
        boxes = np.array(
            [self._box(t.keypoints_at(seconds), t.scores, t.id) for t in tracks]
        ).reshape(-1, 4)
        middle = boxes[:, :2] + boxes[:, 2:] / 2
        followed = ((middle > 0) & (middle < size)).all(axis=1)
        # Of those whom the last look for people did not show, nobody knows where.
        followed &= np.array([t.seconds >= self._detected for t in tracks], bool)
        found = self.predictor.predict(image, boxes[followed], flip=self.flip)
        hits = np.array([t.hits for t in tracks])[followed]
        kept = self._distinct(found, hits)
        keypoints, scores = found.keypoints[kept], found.scores[kept]
        extents = np.array(list(map(_extent, keypoints, scores))).reshape(-1, 4)
        alike = pose_similarity(self.tracks, keypoints, scores, extents, seconds)
        everyone = np.ones(len(kept), bool)
        pairs = assign(alike, followed, everyone, LEAST_SIMILARITY)
        for row, n in pairs:
            track = tracks[row]
            box = self._box(keypoints[n], scores[n], track.id)
            track.see(keypoints[n], scores[n], box, track.box_score, seconds)
        seen, chosen = [tracks[row] for row, _ in pairs], [n for _, n in pairs]
        return TrackedPoses(
            np.array([track.id for track in seen], int),
            keypoints[chosen],
            scores[chosen],
            np.array([track.box for track in seen]).reshape(-1, 4),
            np.array([track.box_score for track in seen], np.float64),
        )

    def _distinct(self, found, hits):
        """Indices of poses that are sure and, of two alike, of the longer track."""
        extents = np.array(list(map(_extent, found.keypoints, found.scores)))
        extents = extents.reshape(-1, 4)
        sure = found.scores.mean(axis=1) >= LEAST_FOLLOWED
        (sure,) = (sure & (extents[:, 2:] >= LEAST_EXTENT).all(axis=1)).nonzero()
        kept = oks_nms(
            found.keypoints[sure],
            np.prod(extents[sure, 2:], axis=1),
            hits[sure],
            self.tracks.sigmas,
            threshold=SAME_PERSON,
        )
        return np.sort(sure[kept])

    def _box(self, keypoints, scores, track_id):
        """The box (4,) of a pose, with the margins that this person's last box had."""
        left, top, width, height = _extent(keypoints, scores)
        before = self._margins.get(track_id, np.array(MARGINS))
        low = np.array([left - before[0] * width, top - before[1] * height])
        high = np.array(
            [left + width * (1 + before[2]), top + height * (1 + before[3])]
        )
        return np.concatenate([low, np.maximum(high - low, 1.0)])

    def _smoothed(self, found, seconds):
        alive = {track.id for track in self.tracks.alive}
        self._filters = {k: f for k, f in self._filters.items() if k in alive}
        keypoints = found.keypoints.copy()
        for n in np.flatnonzero(found.ids):
            smooth = self._filters.setdefault(found.ids[n], OneEuroFilter())
            size = float(np.hypot(*found.boxes[n][2:]))
            keypoints[n] = smooth(found.keypoints[n], seconds, size)
        return TrackedPoses(
            found.ids, keypoints, found.scores, found.boxes, found.box_scores
        )


def _extent(keypoints, scores):
    """Left, top, width and height of the seen keypoints (K, 2); of all if none are."""
    seen = keypoints[scores > SEEN] if (scores > SEEN).sum() > 1 else keypoints
    low, high = seen.min(axis=0), seen.max(axis=0)
    return np.concatenate([low, np.maximum(high - low, 1.0)])


def _margins_of(box, extent):
    """Left, top, right, bottom margins of a box around keypoints, as shares of them."""
    low = (extent[:2] - box[:2]) / extent[2:]
    high = (box[:2] + box[2:] - extent[:2] - extent[2:]) / extent[2:]
    # A box that was cut off, or a pose that went astray, is no measure.
    return np.clip(np.concatenate([low, high]), 0.0, 2 * np.max(MARGINS))
