"""The plain suppression, by hand."""

import numpy as np

from distilpose_keras.benchmarks.plain_scoring import pairwise_oks, select_poses

NEAR, FAR = np.exp(-8 / 200), np.exp(-200 / 200)


def test_similarity_of_one_keypoint():
    """exp(-d^2 / (2 sigma)^2 / area / 2) with sigma 1/2 and the mean of the areas."""
    points = np.array([[[0.0, 0]], [[2, 2]], [[10, 10]]])
    found = pairwise_oks(points, np.array([100.0, 100, 100]), [0.5])
    np.testing.assert_allclose(found[0], [1, NEAR, FAR], rtol=1e-12)
    one, other = pairwise_oks(points[:2], np.array([50.0, 150]), [0.5])[0]
    assert (round(one, 9), round(other, 9)) == (1, round(NEAR, 9))


def test_the_better_of_two_alike_stays_in_each_image():
    points = np.array([[[0.0, 0]], [[2, 2]], [[10, 10]], [[0, 0]]])
    images, scores = np.array([7, 7, 7, 3]), np.array([0.5, 0.9, 0.1, 0.2])
    arguments = images, points, np.full(4, 100.0), scores, [0.5]
    assert select_poses(*arguments, threshold=0.9).tolist() == [3, 1, 2]
    assert select_poses(*arguments, threshold=0.97).tolist() == [3, 1, 0, 2]
