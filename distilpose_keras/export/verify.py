"""What an exported file is worth: its accuracy, error, size and speed, measured."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from distilpose_keras.evaluation import evaluate
from distilpose_keras.predictor import PosePredictor
from distilpose_keras.timing import interleave
from distilpose_keras.types import FilePath

if TYPE_CHECKING:
    from distilpose_keras.data.people_index import PeopleIndex
    from distilpose_keras.models.model import PoseModel

LATENCY_ROUNDS = 30


def verify(
    reference: "PoseModel | FilePath",
    files: Sequence[FilePath],
    people: "PeopleIndex",
    *,
    limit: int | None = None,
    progress: bool = False,
) -> list[dict[str, Any]]:
    """Score exported files in their own runtimes against the model they came from.

    Args:
        reference: a `PoseModel`, or the path of its ``.keras`` file.
        files: paths of ``.tflite`` and ``.onnx`` files.
        people: the ground truth, a `PeopleIndex`; its boxes are used.
        limit: only the first ``limit`` people.
        progress: show progress bars.

    Returns:
        A list of dicts, the reference first, then one per file: `file`, `runtime`,
        `precision`, `bytes` (None for a model in memory), what `evaluate` returns (`AP`
        and the others from 0 to 1), `ap_drop` (in AP points, 0 to 100: reference minus
        file), `max_keypoint_error_px` and
        `mean_keypoint_error_px` (distance to the reference's keypoints in pixels of
        the crop, over all keypoints of all people), `latency_ms` (median of one crop
        on one thread, all files in turns).

    Raises:
        ValueError: if a file is missing, truncated, not ours, or of another schema or
            input size than the reference.
    """
    predictors = [_Recorder(reference, num_threads=1)]
    predictors += [_Recorder(file, num_threads=1) for file in files]
    expected = predictors[0]
    for file, predictor in zip(files, predictors[1:], strict=True):
        _check_comparable(file, predictor, expected)
    rows = []
    for source, predictor in zip([reference, *files], predictors, strict=True):
        figures = evaluate(predictor, people, limit=limit, progress=progress)
        rows.append({**_describe(source, predictor), **figures})
        rows[-1]["ap_drop"] = 100 * (rows[0]["AP"] - figures["AP"])
        rows[-1] |= _keypoint_errors(predictor, expected)
    for row, seconds in zip(rows, _latencies(predictors), strict=True):
        row["latency_ms"] = 1e3 * seconds
    return rows


class _Recorder(PosePredictor):
    """A predictor that remembers the keypoints of all crops."""

    def __init__(self, model, **kwargs):
        super().__init__(model, **kwargs)
        self.recorded = []

    def predict_crops(self, crops, **kwargs):
        keypoints, scores = super().predict_crops(crops, **kwargs)
        self.recorded.append(keypoints)
        return keypoints, scores


def _check_comparable(file, predictor, reference):
    for what in ("input_size", "schema"):
        if getattr(predictor, what) != getattr(reference, what):
            raise ValueError(f"{file}: its {what} is not that of the reference model")


def _describe(source, predictor):
    is_file = not hasattr(source, "pose_config")
    return {
        "file": str(source) if is_file else source.pose_config.name,
        "runtime": predictor.runtime,
        "precision": predictor.metadata.get("precision", "float32"),
        "bytes": Path(source).stat().st_size if is_file else None,
    }


def _keypoint_errors(predictor, reference):
    """Distances in pixels of the crop; both predictors saw the same crops."""
    height, width = reference.input_size
    found, expected = map(np.concatenate, (predictor.recorded, reference.recorded))
    distances = np.linalg.norm((found - expected) * (width, height), axis=-1)
    return {
        "max_keypoint_error_px": float(distances.max()),
        "mean_keypoint_error_px": float(distances.mean()),
    }


def _latencies(predictors):
    """Median seconds of one crop for each predictor."""
    crop = np.zeros((1, *predictors[0].input_size, 3), np.uint8)
    calls = [lambda p=p: PosePredictor.predict_crops(p, crop) for p in predictors]
    return np.median(interleave(calls, rounds=LATENCY_ROUNDS), axis=0)
