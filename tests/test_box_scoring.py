"""Recall and precision of a finder: a case by hand."""

import numpy as np
import pytest

from distilpose_keras.box_scoring import Matches, match, overlaps

PEOPLE = np.array([[0, 0, 10, 10], [20, 0, 10, 10], [40, 0, 4, 4]], float)


def test_overlap_of_boxes_by_hand():
    found = overlaps(np.array([[0.0, 0, 10, 10]]), np.array([[5.0, 0, 10, 10]]))
    np.testing.assert_allclose(found, [[50 / 150]])


def test_each_person_is_found_once_and_small_ones_do_not_count():
    boxes = np.array([[0, 0, 10, 9], [0, 0, 10, 10], [40, 0, 4, 4], [70, 0, 9, 9]])
    scores = np.array([0.9, 0.8, 0.7, 0.6])
    counts = np.array([True, True, False])
    verdict = match(boxes.astype(float), scores, PEOPLE, counts)
    assert verdict.tolist() == [1, 0, -1, 0]


def test_precision_recall_and_threshold_by_hand():
    right = np.array([True, False, True, False, False])
    found = Matches(np.array([0.9, 0.8, 0.7, 0.6, 0.5]), right, people=4)
    precision, recall = found.precision_and_recall()
    np.testing.assert_allclose(precision, [1, 1 / 2, 2 / 3, 2 / 4, 2 / 5])
    np.testing.assert_allclose(recall, [0.25, 0.25, 0.5, 0.5, 0.5])
    assert found.threshold(0.6) == 0.7
    assert found.best_recall(0.6) == 0.5
    assert found.at(0.75) == (0.5, 0.25)
    # 26 recalls up to 0.25 at precision 1, 25 up to 0.5 at 2/3, 50 at none.
    expected = (26 + 25 * 2 / 3) / 101
    assert found.average_precision() == pytest.approx(expected)
