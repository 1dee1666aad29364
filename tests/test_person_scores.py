"""The rules of person scores, by hand."""

import numpy as np
import pytest

from distilpose_keras.models.presets import MODELS
from distilpose_keras.person_scores import (
    DEFAULT_PERSON_SCORE,
    PERSON_SCORES,
    rescore,
    sum_of_scores,
    sureness,
)

SCORES = np.array([[0.9, 0.3, 0.1], [0.2, 0.1, 0.0]])
BOXES = [0.5, 1.0]


def test_person_score_is_box_score_times_mean_of_confident_keypoints():
    np.testing.assert_allclose(rescore(SCORES, BOXES), [0.5 * 0.6, 0.0])


def test_scores_of_rle_add_the_mean_and_the_best_of_all_keypoints():
    expected = [0.5 + 1.3 / 3 + 0.9, 1.0 + 0.1 + 0.2]
    np.testing.assert_allclose(sum_of_scores(SCORES, BOXES), expected)


def test_a_pose_that_fits_nothing_makes_a_box_unsure():
    scores = [[0.5, 0.3, 0.28], [0.0, 0.0, 0.03], [-0.1, 0.0, 0.0]]
    np.testing.assert_allclose(sureness(scores, [0.5, 0.9, 0.9]), [0.3, 0.09, 0.0])


@pytest.mark.parametrize("name", MODELS)
def test_every_model_has_a_rule(name):
    assert MODELS[name].person_score in PERSON_SCORES
    assert DEFAULT_PERSON_SCORE in PERSON_SCORES
