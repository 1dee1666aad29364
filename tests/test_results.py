"""Results files give COCO's own code what `evaluate` computes."""

import json

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from distilpose_keras.evaluation import evaluate
from distilpose_keras.geometry import PLAIN
from distilpose_keras.person_scores import rescore
from distilpose_keras.results import coco_results


class NearTheTruth:
    """Stands for a predictor: the labels, moved by noise; scores fall with it."""

    def __init__(self, people):
        self.people = people
        self.schema = people.schema
        self.input_size = (64, 48)
        self.batch_size = 4
        self.geometry = PLAIN
        self.person_scores = rescore
        rng = np.random.default_rng(2)
        noise = rng.gamma(1.0, 4.0, (len(people), 1, 1))
        moves = noise * rng.normal(size=people.keypoints.shape)
        self.keypoints = people.keypoints + moves
        self.scores = np.exp(-noise[..., 0] / 8) * np.ones(17)

    def predict_people(self, crops, centers, scales, *, flip=False):
        middles = self.people.boxes_xywh[:, :2] + self.people.boxes_xywh[:, 2:] / 2
        found = [np.abs(middles - c).sum(axis=1).argmin() for c in centers]
        return self.keypoints[found], self.scores[found]


@pytest.fixture
def predictor(people, monkeypatch):
    from distilpose_keras import evaluation

    monkeypatch.setattr(evaluation, "PosePredictor", NearTheTruth)
    return NearTheTruth(people)


def test_pycocotools_scores_them_as_evaluate_does(predictor, people, tmp_path):
    path = tmp_path / "results.json"
    path.write_text(json.dumps(coco_results(predictor, people)))
    truth = COCO(people.annotation_file)
    scorer = COCOeval(truth, truth.loadRes(str(path)), "keypoints")
    scorer.evaluate()
    scorer.accumulate()
    scorer.summarize()
    figures = evaluate(predictor, people)
    assert 0.05 < figures["AP"] < 0.95
    np.testing.assert_allclose(
        scorer.stats[:3], [figures[n] for n in ("AP", "AP50", "AP75")], atol=1e-6
    )
