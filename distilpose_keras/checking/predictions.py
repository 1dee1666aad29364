"""Labels against a model's predictions: are left and right the same ones?"""

import warnings

import numpy as np

from distilpose_keras.checking.people import SWAPPED_SHARE
from distilpose_keras.checking.problems import problem_of
from distilpose_keras.data.coco import load_people
from distilpose_keras.evaluation import predict_people

PEOPLE = 500  # asked of the model, spread over the split
CLOSER = 0.5  # exchanged labels must lie within this part of the distance


def sides_against_model(split, predictor):
    """Find people whose labels lie nearer to a prediction if left and right change.

    Args:
        split: `Split`.
        predictor: `PosePredictor` that predicts the split's keypoints.

    Returns:
        A `Problem` if it is a suspicious share of those asked, else None.
    """
    with warnings.catch_warnings(action="ignore"):
        people = load_people(split.file.path, split.image_dir, schema=split.schema)
    chosen = np.unique(np.linspace(0, len(people) - 1, PEOPLE).round().astype(int))
    people = people.take(chosen if len(people) else [])
    found, _ = predict_people(predictor, people)
    pairs = np.array(split.schema.flip_pairs).reshape(-1, 2)
    both = (people.visibility[:, pairs] > 0).all(axis=2)  # (N, pairs)
    as_is = _distance(people.keypoints[:, pairs], found[:, pairs], both)
    exchanged = _distance(people.keypoints[:, pairs[:, ::-1]], found[:, pairs], both)
    bad = both.any(axis=1) & (exchanged < CLOSER * as_is)
    if np.count_nonzero(bad) <= 1 + SWAPPED_SHARE * len(people):
        return None
    row = {entry: n for n, entry in enumerate(split.persons.entries.tolist())}
    return problem_of(
        "people whose left is the model's right",
        split.name,
        bad,
        lambda n: split.person(row[int(people.entries[n])], "the model differs"),
        serious=True,
        worst=as_is - exchanged,
    )


def _distance(labels, found, both):
    """(N,) mean pixels between labels and predictions (N, pairs, 2, 2)."""
    pixels = np.linalg.norm(labels - found, axis=-1).mean(axis=-1)
    return (pixels * both).sum(axis=1) / np.maximum(both.sum(axis=1), 1)
