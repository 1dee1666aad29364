"""Speed of evaluation: crops, inference, suppression and AP."""

import tempfile
import time
from pathlib import Path

import numpy as np
from rich.progress import Progress

from distilpose_keras.crops import crop_batches
from distilpose_keras.data.coco import coco_paths, load_people
from distilpose_keras.evaluation import predict_people
from distilpose_keras.models.build import build_model
from distilpose_keras.models.configs import MODELS
from distilpose_keras.predictor import PosePredictor
from distilpose_keras.scoring import read_ground_truth, score_coco, select_poses
from distilpose_keras.synthetic import render_dataset

SYNTHETIC_IMAGES = 60
# A detector for COCO finds about ten boxes per annotated person.
POSES_PER_PERSON = 10


def run(args):
    """Measure, and return one dict per row of the table.

    The rows are preparing all crops of the validation set, running the model on
    crops that lie ready, both together as `evaluate` does, OKS-NMS and pycocotools.
    ``ratio`` is a step's time by that of making crops and then running the model.

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
                for name, (step, _) in steps.items():
                    start = time.perf_counter()
                    step()
                    seconds[name].append(time.perf_counter() - start)
    return _rows({name: count for name, (_, count) in steps.items()}, seconds)


def _steps(predictor, people, batch_size):
    """Name -> (function to time, people or poses that it handles)."""
    settings = {"input_size": predictor.input_size, "batch_size": batch_size}
    ready = list(crop_batches(people, **settings))
    truth, _ = read_ground_truth(people)
    ids, keypoints, scores, areas = _many_poses(people)
    sigmas = people.schema.sigmas
    kept = select_poses(ids, keypoints, areas, scores, sigmas)

    def infer():
        for batch in ready:
            predictor.predict_people(batch.crops, batch.centers, batch.scales)

    return {
        "crops: decode and warp": (
            lambda: list(crop_batches(people, **settings)),
            len(people),
        ),
        f"inference, {predictor.runtime}": (infer, len(people)),
        "both together": (
            lambda: predict_people(predictor, people, batch_size=batch_size),
            len(people),
        ),
        "OKS-NMS": (
            lambda: select_poses(ids, keypoints, areas, scores, sigmas),
            len(ids),
        ),
        "AP, pycocotools": (
            lambda: score_coco(truth, ids[kept], keypoints[kept], scores[kept], sigmas),
            len(kept),
        ),
    }


def _many_poses(people):
    """Poses around the annotated ones: image ids, keypoints, scores, areas."""
    rng = np.random.default_rng(0)
    index = np.repeat(np.arange(len(people)), POSES_PER_PERSON)
    size = np.sqrt(people.areas[index])[:, None, None]
    noise = 0.1 * rng.standard_normal((len(index), people.schema.num_keypoints, 2))
    return (
        people.image_ids[people.image_index[index]],
        people.keypoints[index] + noise * size,
        rng.random(len(index)),
        people.areas[index],
    )


def _rows(counts, seconds):
    """The table's rows from the times of all passes."""
    medians = {name: float(np.median(spent[1:])) for name, spent in seconds.items()}
    crops, inference = list(medians.values())[:2]
    return [
        {
            "step": name,
            "count": counts[name],
            "seconds": round(spent, 3),
            "per_second": round(counts[name] / spent, 1),
            "ratio": round(spent / (crops + inference), 2),
        }
        for name, spent in medians.items()
    ]
