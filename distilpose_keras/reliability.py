"""What scores are worth: how near the truth keypoints of each score are, on average."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from distilpose_keras.evaluation import predict_people, score_poses
from distilpose_keras.oks import keypoint_similarity
from distilpose_keras.predictor import PosePredictor
from distilpose_keras.scoring import read_ground_truth
from distilpose_keras.types import FilePath, Json

if TYPE_CHECKING:
    from distilpose_keras.data.people_index import PeopleIndex
    from distilpose_keras.models.model import PoseModel

BINS = 10
RIGHT = 0.5  # a keypoint of this similarity or more counts as found


@dataclass(frozen=True)
class Reliability:
    """A reliability curve, and what follows from it.

    Attributes:
        counts: keypoints whose score lies in each of B bins, equally wide over [0, 1].
        scores: their mean score; None of an empty bin.
        similarities: their mean similarity to the truth, as OKS measures it; None of
            an empty bin.
        calibration_error: mean over the keypoints of |score - similarity| of their
            bins (the expected calibration error of Guo et al., 2017).
        threshold: of the scores: the one above which "is this keypoint right", a
            similarity of at least 0.5, has the best F-measure.
        ap: with the model's person scores.
        ap_of_boxes: with all keypoints' scores set to 1, so that only the scores of
            the boxes tell people apart.
    """

    counts: list[int]
    scores: list[float | None]
    similarities: list[float | None]
    calibration_error: float
    threshold: float
    ap: float
    ap_of_boxes: float

    def to_dict(self) -> Json:
        """Return the fields as JSON values."""
        return asdict(self)


def measure_reliability(
    predictor: "PosePredictor | PoseModel | FilePath",
    people: "PeopleIndex",
    *,
    flip: bool = False,
    batch_size: int = 32,
    progress: bool = False,
) -> Reliability:
    """Compare a model's scores with how near its keypoints are to the truth.

    Args:
        predictor: a `PosePredictor`, or what its constructor takes.
        people: the ground truth; its boxes are used, unlabelled keypoints do not count.
        flip: average with the mirrored crops.
        batch_size: crops run at once.
        progress: show a progress bar.

    Raises:
        ValueError: if the model's keypoints are not those of the data, or none is
            labelled.
    """
    if not isinstance(predictor, PosePredictor):
        predictor = PosePredictor(predictor)
    labelled = people.visibility > 0
    if not labelled.any():
        raise ValueError(f"no keypoint is labelled in {people.annotation_file}")
    keypoints, scores = predict_people(
        predictor, people, flip=flip, batch_size=batch_size, progress=progress
    )
    near = keypoint_similarity(
        keypoints, people.keypoints, people.areas, people.schema.sigmas
    )
    truth = read_ground_truth(people)[0]

    def ap(of_keypoints):
        sure = predictor.person_scores(of_keypoints, people.scores)
        return score_poses(predictor, truth, people, keypoints, sure)["AP"]

    curve = reliability_curve(scores[labelled], near[labelled])
    return Reliability(
        **curve,
        threshold=best_threshold(scores[labelled], near[labelled] >= RIGHT),
        ap=ap(scores),
        ap_of_boxes=ap(np.ones_like(scores)),
    )


def reliability_curve(
    scores: ArrayLike, similarities: ArrayLike, bins: int = BINS
) -> Json:
    """Mean score and mean similarity of the keypoints in each bin of the scores.

    Args:
        scores: (N,); those outside [0, 1] count to the first or last bin.
        similarities: (N,) in [0, 1].
        bins: equally wide.

    Returns:
        dict of `counts`, `scores`, `similarities` and `calibration_error`, see
        `Reliability`.
    """
    scores = np.asarray(scores, np.float64)
    similarities = np.asarray(similarities, np.float64)
    place = np.clip((scores * bins).astype(int), 0, bins - 1)
    counts = np.bincount(place, minlength=bins)
    sums = [np.bincount(place, values, bins) for values in (scores, similarities)]
    points = len(scores)
    gaps = np.abs(sums[0] - sums[1]).sum()
    means = [total / np.maximum(counts, 1) for total in sums]
    scores, similarities = (
        [value if count else None for value, count in zip(m, counts, strict=True)]
        for m in (mean.tolist() for mean in means)
    )
    return {
        "counts": counts.tolist(),
        "scores": scores,
        "similarities": similarities,
        "calibration_error": float(gaps / max(points, 1)),
    }


def best_threshold(scores: ArrayLike, right: ArrayLike) -> float:
    """Return the score from which on keypoints are best taken for right.

    Args:
        scores: (N,).
        right: (N,) bool.

    Returns:
        The score among ``scores`` with the best F-measure of "at least this score";
        the largest of equals. 0 where none is right.
    """
    order = np.argsort(-np.asarray(scores, np.float64), kind="stable")
    scores = np.asarray(scores, np.float64)[order]
    found = np.cumsum(np.asarray(right, bool)[order])
    if not len(found) or not found[-1]:
        return 0.0
    f_measure = 2 * found / (np.arange(1, len(scores) + 1) + found[-1])
    # Equal scores are taken together: only the last of a run is a possible cut.
    last = np.append(np.diff(scores) != 0, True)
    return float(scores[np.argmax(np.where(last, f_measure, -1.0))])
