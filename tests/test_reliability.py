import numpy as np
import pytest

from distilpose_keras.reliability import best_threshold, reliability_curve


def test_a_curve_by_hand():
    curve = reliability_curve([0.1, 0.2, 0.9, 1.0], [0.3, 0.1, 0.5, 0.7], bins=2)
    assert curve["counts"] == [2, 2]
    assert curve["scores"] == pytest.approx([0.15, 0.95])
    assert curve["similarities"] == pytest.approx([0.2, 0.6])
    assert curve["calibration_error"] == pytest.approx((2 * 0.05 + 2 * 0.35) / 4)


def test_an_empty_bin_has_no_mean_and_scores_beyond_one_have_the_last_bin():
    curve = reliability_curve([-0.5, 1.5], [0.0, 1.0], bins=4)
    assert curve["counts"] == [1, 0, 0, 1]
    assert curve["similarities"] == [0.0, None, None, 1.0]


def test_scores_that_are_the_similarity_have_no_error():
    scores = np.random.default_rng(0).uniform(size=1000)
    assert reliability_curve(scores, scores)["calibration_error"] == 0


def test_the_threshold_is_the_best_of_all_by_trial():
    rng = np.random.default_rng(1)
    scores = np.round(rng.uniform(size=200), 2)
    right = rng.uniform(size=200) < scores**2

    def f_measure(threshold):
        taken = scores >= threshold
        return 2 * (taken & right).sum() / (taken.sum() + right.sum())

    best = max(np.unique(scores), key=f_measure)
    assert best_threshold(scores, right) == best


def test_nothing_right_has_no_threshold():
    assert best_threshold([0.3, 0.4], [False, False]) == 0
