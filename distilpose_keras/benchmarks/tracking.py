"""Tracking on rendered clips, whose truth is known: MOTA, IDF1, jitter, speed.

Without a model, what is found is the truth with noise: boxes that are a little off,
missed or nobody's, poses that go astray where a keypoint is hidden, and to the other
person where two boxes cover each other.
"""

import time
from dataclasses import dataclass

import numpy as np
from rich.progress import Progress

from distilpose_keras.detection import PersonFinder
from distilpose_keras.keypoints import COCO_17
from distilpose_keras.oks import keypoint_similarity
from distilpose_keras.predictor import PosePredictor, PoseResult
from distilpose_keras.synthetic.clips import PLOTS, ClipFrame, render_clip
from distilpose_keras.track_scores import TrackScore, jitter
from distilpose_keras.tracking import PoseTracker
from distilpose_keras.tracks import Tracks, box_similarity, overlaps

CLIPS = ("cross", "leave", "hide")
FPS = 25.0
# Of the noise: boxes by their size, keypoints by the height of the person.
BOX_NOISE, POINT_NOISE, HIDDEN_NOISE = 0.03, 0.012, 0.05
MISSED, MISSED_HIDDEN, NOBODY = 0.05, 0.3, 0.05


def run(args):
    """Measure, and return one dict per row of the table.

    Args:
        args: namespace of the arguments of ``distilpose benchmark tracking``.
    """
    rows = []
    ways = [
        {"similarity": "keypoints", "detect_every": 1},
        {"similarity": "keypoints", "detect_every": 1, "smooth": True},
        {"similarity": "boxes", "detect_every": 1},
        {"similarity": "keypoints", "detect_every": 5},
        {"similarity": "keypoints", "detect_every": 5, "smooth": True},
    ]
    model = PosePredictor(args.model)
    predictor = model if args.poses == "model" else None
    with Progress(transient=True) as bar:
        task = bar.add_task("clips", total=len(CLIPS) * args.seeds + 1)
        clips = {}
        for name in CLIPS:
            for seed in range(args.seeds):
                clips[name, seed] = _clip(name, args.frames, seed, bool(predictor))
                bar.advance(task)
        for name in CLIPS:
            chosen = [clips[key] for key in clips if key[0] == name]
            rows += [{"clip": name, **score(chosen, predictor, **way)} for way in ways]
        rows += speed_rows(model, args.frames)
    return rows


def _clip(name, frames, seed, pixels):
    plot, size = PLOTS[name], (480, 640)
    options = {"frames": frames, "fps": FPS, "size": size, "seed": seed}
    return list(render_clip(plot, pixels=pixels, **options))


def score(
    clips: list[list[ClipFrame]],
    predictor: PosePredictor | None,
    *,
    similarity: str,
    detect_every: int,
    smooth: bool = False,
) -> dict:
    """Follow the people of some clips and compare with the truth.

    Args:
        clips: of one plot, each a list of frames.
        predictor: a model that looks at the pictures, with the library's finder; None
            for the truth with noise.
        similarity: ``"keypoints"`` or ``"boxes"``.
        detect_every: frames from one look for people to the next.
        smooth: filter the keypoints.
    """
    score, jitters, errors = TrackScores(), [], []
    for seed, frames in enumerate(clips):
        noisy = NoisyTruth(np.random.default_rng(seed))
        tracker = PoseTracker(
            predictor or noisy,
            PersonFinder() if predictor else noisy,
            detect_every=detect_every,
            smooth=smooth,
            fps=FPS,
        )
        if similarity == "boxes":
            sigmas = tracker.predictor.schema.sigmas
            tracker.tracks = Tracks(sigmas, similarity=box_similarity)
        followed = _follow(tracker, noisy, frames, score.begin())
        for points, truth in followed:
            jitters.append((jitter(points, truth), len(points) - 1))
            errors.append((_error(points, truth), len(points) - 1))
    return {
        "similarity": similarity,
        "detect_every": detect_every,
        "smooth": smooth,
        **score.figures(),
        "jitter_px": _mean(jitters),
        "error_px": _mean(errors),
    }


def _error(points, truth):
    return float(np.linalg.norm(points - truth, axis=-1).mean())


def _mean(weighted):
    values, weights = np.array(weighted).reshape(-1, 2).T
    return round(float(np.average(values, weights=weights)), 2) if len(values) else None


class TrackScores:
    """The scores of several clips of one plot, people counted together."""

    def __init__(self):
        """Begin without clips."""
        self._scores = []

    def begin(self):
        """Return the `TrackScore` of another clip."""
        self._scores.append(TrackScore())
        return self._scores[-1]

    def figures(self):
        """Return means of the clips, in points, and the sum of switches."""
        return {
            "MOTA": round(100 * float(np.mean([s.mota for s in self._scores])), 1),
            "IDF1": round(100 * float(np.mean([s.idf1 for s in self._scores])), 1),
            "switches": sum(s.switches for s in self._scores),
        }


def _follow(tracker, noisy, frames, score):
    """Track a clip; return keypoints and truth of unbroken runs of each person."""
    runs, open_runs = [], {}
    for frame in frames:
        noisy.frame = frame
        image = frame.image if frame.image is not None else noisy.blank
        found = tracker.update(image, seconds=frame.seconds)
        followed = np.flatnonzero(found.ids)
        alike = oks(frame.keypoints, found.keypoints[followed])
        score.add(frame.ids, found.ids[followed], alike)
        begun, open_runs = open_runs, {}
        for row, person in enumerate(frame.ids):
            if not len(followed) or alike[row].max() < 0.5:
                continue
            best = followed[alike[row].argmax()]
            key = (int(person), int(found.ids[best]))
            seen = begun.pop(key, [])
            seen.append((found.keypoints[best], frame.keypoints[row]))
            open_runs[key] = seen
        runs += begun.values()
    runs += open_runs.values()
    return [
        tuple(np.array(part) for part in zip(*run, strict=True))
        for run in runs
        if len(run) > 1
    ]


def oks(people: np.ndarray, poses: np.ndarray) -> np.ndarray:
    """Return (P, N) OKS of people (P, 17, 2) and poses (N, 17, 2)."""
    extents = np.ptp(people, axis=1).prod(axis=1) if len(people) else np.zeros(0)
    alike = np.zeros((len(people), len(poses)))
    for row, person, extent in zip(alike, people, extents, strict=True):
        areas = np.full(len(poses), extent)
        there = np.broadcast_to(person, poses.shape)
        row[:] = keypoint_similarity(poses, there, areas, COCO_17.sigmas).mean(axis=1)
    return alike


@dataclass
class NoisyTruth:
    """Finder and predictor in one: the truth of a frame, a little off.

    Attributes:
        rng: numpy random generator.
        frame: the `ClipFrame` that is looked at.
    """

    rng: np.random.Generator
    frame: ClipFrame | None = None
    schema = COCO_17
    blank = np.zeros((480, 640, 3), np.uint8)

    def find(self, image):
        """Boxes of most people, and now and then of nobody; scores by what shows."""
        boxes, scores = [], []
        for box, flags in zip(self.frame.boxes, self.frame.flags, strict=True):
            shown = (flags == 2).mean()
            if self.rng.random() < (MISSED if shown > 0.5 else MISSED_HIDDEN):
                continue
            boxes.append(box + self.rng.normal(0, BOX_NOISE, 4) * np.tile(box[2:], 2))
            scores.append(np.clip(0.25 + shown + self.rng.normal(0, 0.1), 0.05, 1))
        if self.rng.random() < NOBODY:
            boxes.append(np.array([*self.rng.uniform(0, (560, 240)), 80, 200]))
            scores.append(self.rng.uniform(0.05, 0.6))
        return np.array(boxes).reshape(-1, 4), np.array(scores)

    def predict(self, image, boxes_xywh, *, flip=False):
        """Poses of the people whom the boxes show best."""
        boxes = np.asarray(boxes_xywh, np.float64).reshape(-1, 4)
        keypoints = np.zeros((len(boxes), 17, 2))
        scores = np.zeros((len(boxes), 17), np.float32)
        alike = overlaps(boxes, self.frame.boxes)
        for n, box in enumerate(boxes):
            if not alike.size or alike[n].max() < 0.15:  # nobody: points anywhere
                keypoints[n] = box[:2] + self.rng.uniform(0, 1, (17, 2)) * box[2:]
                scores[n] = self.rng.uniform(0, 0.2, 17)
                continue
            # Where two fill the box alike, either may be taken for its person.
            person = int((alike[n] + self.rng.normal(0, 0.05, alike.shape[1])).argmax())
            shown = self.frame.flags[person] == 2
            noise = np.where(shown, POINT_NOISE, HIDDEN_NOISE)[:, None]
            noise = noise * np.ptp(self.frame.keypoints[person][:, 1])
            keypoints[n] = self.frame.keypoints[person]
            keypoints[n] += self.rng.normal(0, 1, (17, 2)) * noise
            certain = np.where(shown, 0.85, 0.35)
            scores[n] = np.clip(certain + self.rng.normal(0, 0.1, 17), 0, 1)
        return PoseResult(keypoints, scores)


class _Costed:
    """Spends the time of a finder and a model and answers with the truth and noise."""

    schema = COCO_17

    def __init__(self, predictor, noisy):
        self._predictor, self._noisy, self._finder = predictor, noisy, PersonFinder()

    def find(self, image):
        self._finder.find(image)
        return self._noisy.find(image)

    def predict(self, image, boxes_xywh, *, flip=False):
        if len(boxes_xywh):
            self._predictor.predict(image, boxes_xywh, flip=flip)
        return self._noisy.predict(image, boxes_xywh, flip=flip)


def speed_rows(predictor, frames):
    """Frames a second of finding, posing and following, in turns for N = 1 and 5."""
    clip = _clip("two", min(frames, 50), 0, True)
    noisy = NoisyTruth(np.random.default_rng(0))
    costed = _Costed(predictor, noisy)
    seconds = {1: [], 5: []}
    for turn in range(3):
        for every, spent in seconds.items():
            tracker = PoseTracker(costed, costed, detect_every=every, fps=FPS)
            start = time.perf_counter()
            for frame in clip:
                noisy.frame = frame
                tracker.update(frame.image, seconds=frame.seconds)
            if turn:  # the first warmed up
                spent.append(time.perf_counter() - start)
    rates = {every: len(clip) / np.median(spent) for every, spent in seconds.items()}
    model = predictor.metadata["model"]
    return [
        {
            "model": model,
            "detect_every": every,
            "frames_per_second": round(rate, 1),
            "faster": round(rate / rates[1], 2),
        }
        for every, rate in rates.items()
    ]
