"""Speed of evaluation: crops and inference; scoring against the plain way to do it."""

import json
import tempfile
import time
from pathlib import Path

import numpy as np
from rich.progress import Progress

from distilpose_keras import scorers
from distilpose_keras.benchmarks import plain_scoring, scoring_set
from distilpose_keras.crops import crop_batches
from distilpose_keras.data.coco import coco_paths, load_people
from distilpose_keras.evaluation import predict_people
from distilpose_keras.keypoints import COCO_17
from distilpose_keras.models.model import build_model
from distilpose_keras.models.presets import MODELS
from distilpose_keras.oks import NMS_THRESHOLD, select_poses
from distilpose_keras.predictor import PosePredictor
from distilpose_keras.scoring import read_ground_truth, rescore, score_coco
from distilpose_keras.synthetic import render_dataset

SYNTHETIC_IMAGES = 60
AGREEMENT = 1e-9  # of the ten figures with pycocotools'


def run(args):
    """Measure, and return one dict per row of the two tables.

    The rows of the first are preparing all crops of the validation set, running the
    model on crops that lie ready, and both together as `evaluate` does; ``ratio`` is
    a step's time by that of making crops and then running the model. The second is
    of `measure_scoring`.

    Args:
        args: namespace of the arguments of ``distilpose benchmark evaluation``.
    """
    model = build_model(args.model) if args.model in MODELS else args.model
    predictor = PosePredictor(model, batch_size=args.batch_size)
    with tempfile.TemporaryDirectory() as folder:
        data = args.data
        if data is None:
            data = render_dataset(
                Path(folder) / "data", train_images=1, val_images=SYNTHETIC_IMAGES
            )
        people = load_people(*coco_paths(data, "val"), schema=predictor.schema)
        steps = _steps(predictor, people, args.batch_size)
        seconds = {name: [] for name in steps}
        with Progress(transient=True) as bar:
            # The first pass compiles and warms the file cache.
            for _ in bar.track(range(args.rounds + 1), description="evaluation"):
                for name, step in steps.items():
                    seconds[name].append(_timed(step)[0])
        scoring = measure_scoring(
            Path(folder), images=args.scored_images, rounds=args.rounds
        )
    return _rows(len(people), seconds) + scoring


def _timed(step):
    """Seconds that a call takes, and what it returns."""
    start = time.perf_counter()
    result = step()
    return time.perf_counter() - start, result


def _steps(predictor, people, batch_size):
    """Name -> function to time."""
    settings = {"input_size": predictor.input_size, "batch_size": batch_size}
    ready = list(crop_batches(people, **settings))

    def infer():
        for batch in ready:
            predictor.predict_people(batch.crops, batch.centers, batch.scales)

    return {
        "crops: decode and warp": lambda: list(crop_batches(people, **settings)),
        f"inference, {predictor.runtime}": infer,
        "both together": lambda: predict_people(
            predictor, people, batch_size=batch_size
        ),
    }


def _rows(count, seconds):
    """The first table's rows from the times of all passes."""
    medians = {name: float(np.median(spent[1:])) for name, spent in seconds.items()}
    crops, inference = list(medians.values())[:2]
    return [
        {
            "step": name,
            "count": count,
            "seconds": round(spent, 3),
            "per_second": round(count / spent, 1),
            "ratio": round(spent / (crops + inference), 2),
        }
        for name, spent in medians.items()
    ]


def measure_scoring(folder, *, images, rounds):
    """Time scoring on a generated set of COCO's kind, beside the plain way.

    The steps are reading the annotations, person scores, OKS-NMS and the ten figures
    of the poses that are left, poses in COCO's format included. The plain way takes
    a minute and is timed once; of ours, medians count.

    Args:
        folder: where the annotation file is written.
        images: size of the generated set.
        rounds: how often our steps are timed.

    Returns:
        list of a dict per step and one for all, ``faster`` being the ratio of times.

    Raises:
        RuntimeError: if the survivors or the figures of the two ways differ.
    """
    data = scoring_set.make_annotations(images)
    poses = scoring_set.make_poses(data, COCO_17.sigmas)
    path = folder / "people.json"
    path.write_text(json.dumps(data))
    people = load_people(path, folder, schema=COCO_17)
    passes = []
    with Progress(transient=True) as bar:
        for n in bar.track(range(rounds), description="scoring, in turns"):
            seconds, kept, figures = _score(people, poses)
            passes.append(list(seconds.values()))
            if n == (rounds - 1) // 2:  # between ours, if the machine's load drifts
                plain, plain_kept, plain_figures = _score_plainly(path, poses)
    if not np.array_equal(kept, plain_kept):
        raise RuntimeError("OKS-NMS and the plain way keep different poses")
    difference = np.abs(np.array(figures) - plain_figures).max()
    if not difference <= AGREEMENT:
        raise RuntimeError(f"the figures differ from pycocotools' by {difference}")
    ours = dict(zip(seconds, np.median(passes, axis=0).tolist(), strict=True))
    return _scoring_rows(len(poses.image_ids), plain, ours)


def _score(people, poses):
    """Seconds of each step, indices of the survivors and the figures."""
    ids, points, sigmas = poses.image_ids, poses.keypoints, COCO_17.sigmas
    seconds = {}
    seconds["reading"], (truth, _) = _timed(lambda: read_ground_truth(people))
    seconds["person scores"], scores = _timed(
        lambda: rescore(poses.keypoint_scores, poses.box_scores)
    )
    seconds["OKS-NMS"], kept = _timed(
        lambda: select_poses(ids, points, poses.areas, scores, sigmas)
    )
    seconds["figures"], figures = _timed(
        lambda: score_coco(truth, ids[kept], points[kept], scores[kept], sigmas)
    )
    return seconds, kept, list(figures.values())


def _score_plainly(path, poses):
    """As `_score`, the plain way."""
    ids, points, sigmas = poses.image_ids, poses.keypoints, COCO_17.sigmas
    seconds = {}
    seconds["reading"], truth = _timed(lambda: plain_scoring.read_annotations(path))
    seconds["person scores"], scores = _timed(
        lambda: rescore(poses.keypoint_scores, poses.box_scores)
    )
    seconds["OKS-NMS"], kept = _timed(
        lambda: plain_scoring.select_poses(
            ids, points, poses.areas, scores, sigmas, threshold=NMS_THRESHOLD
        )
    )
    seconds["figures"], figures = _timed(
        lambda: plain_scoring.score_coco(
            truth, ids[kept], points[kept], scores[kept], sigmas
        )
    )
    return seconds, kept, figures


def _scoring_rows(count, plain, ours):
    """The second table's rows from the seconds of each step."""
    scorer = "hotcoco" if scorers.find_hotcoco() else "pycocotools"
    rows = [
        (f"figures, {scorer}" if s == "figures" else s, plain[s], ours[s]) for s in ours
    ]
    rows.append(("all", sum(plain.values()), sum(ours.values())))
    return [
        {
            "scoring": name,
            "poses": count,
            "plain_seconds": round(before, 3),
            "seconds": round(after, 3),
            "faster": round(before / after, 1),
        }
        for name, before, after in rows
    ]
