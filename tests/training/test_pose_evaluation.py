"""AP in the logs of `fit`: when, of which weights, of which copy."""

import keras
import numpy as np
import pytest

from distilpose_keras.distillation.distiller import Distiller
from distilpose_keras.models.model import build_model
from distilpose_keras.predictor import PosePredictor
from distilpose_keras.training import pose_evaluation
from distilpose_keras.training.local_copy import OnLocalCopy
from distilpose_keras.training.pose_evaluation import PoseEvaluation

# As small as a token model gets: what takes time here is compiling it.
TINY = {
    "input_size": (32, 24),
    "backbone": {"width": 8, "blocks": 1},
    "transformer": {"layers": 1},
}


@pytest.fixture
def training():
    """A tiny student with its distiller, and a batch."""
    student = build_model("demo_student", **TINY)
    distiller = Distiller(student=student)
    distiller.compile(optimizer=keras.optimizers.SGD(1.0))
    targets = {
        "keypoints": np.full((4, 17, 2), 0.3, np.float32),
        "weights": np.ones((4, 17, 1), np.float32),
    }
    return distiller, np.zeros((4, *TINY["input_size"], 3), np.uint8), targets


@pytest.mark.backend
def test_ap_is_reported_during_fit(people, training):
    distiller, images, targets = training
    callback = PoseEvaluation(people, every=2, batch_size=16)
    history = distiller.fit(
        images, targets, epochs=3, verbose=0, callbacks=[callback]
    ).history
    # After the second epoch and, because it is the last, after the third.
    assert [result["epoch"] for result in callback.results] == [2, 3]
    assert history["val_AP"] == [result["AP"] for result in callback.results]
    assert callback.results[0]["instances"] == len(people)


def mean_place(images):
    """Make a stand-in for `evaluate`: the mean of all keypoints is the AP."""

    def where(predictor, *_, **__):
        return {"AP": float(predictor.predict_crops(images)[0].mean())}

    return where


@pytest.mark.backend
def test_the_weights_of_each_epoch_are_evaluated(people, training, monkeypatch):
    distiller, images, targets = training

    where = mean_place(images)
    monkeypatch.setattr(pose_evaluation, "evaluate", where)
    callback = PoseEvaluation(people)
    distiller.fit(images, targets, epochs=2, verbose=0, callbacks=[callback])
    first, last = (result["AP"] for result in callback.results)
    assert abs(last - first) > 1e-4
    assert where(PosePredictor(distiller.model))["AP"] == pytest.approx(last)


@pytest.mark.backend
def test_a_local_copy_is_evaluated_as_the_model_is(people, training, monkeypatch):
    distiller, images, targets = training

    where = mean_place(images)
    monkeypatch.setattr(pose_evaluation, "evaluate", where)
    callbacks = [OnLocalCopy(PoseEvaluation(people), distiller.model)]
    fit = {"epochs": 2, "verbose": 0, "callbacks": callbacks}
    history = distiller.fit(images, targets, **fit).history
    expected = where(PosePredictor(distiller.model))["AP"]
    assert history["val_AP"][-1] == pytest.approx(expected)
