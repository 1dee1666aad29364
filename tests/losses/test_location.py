"""Losses of location maps, by hand and against other formulas."""

import numpy as np
import pytest
from keras import ops

from distilpose_keras.keypoints import COCO_17
from distilpose_keras.losses.location import (
    LocationLoss,
    distance_loss,
    joint_spreads,
    location_loss,
    nearness,
    nearness_loss,
)

SIZE = 6, 4
RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(2, 3, *SIZE)).astype("float32")
POINTS = RNG.uniform(0.2, 0.8, (2, 3, 2)).astype("float32")
WEIGHTS = np.array([[[1], [0.4], [0]], [[1], [1], [1]]], "float32")


def number(value):
    return float(ops.convert_to_numpy(value))


def slow_location_loss(logits, points, weights, sigma, offset=0.0):
    """The definition, pixel by pixel, in float64."""
    total = 0.0
    for maps, joints, worth in zip(logits, points, weights, strict=True):
        for scores, (x, y), (weight,) in zip(maps, joints, worth, strict=True):
            target = np.zeros(SIZE)
            for row, column in np.ndindex(SIZE):
                across, down = column + offset - x * SIZE[1], row + offset - y * SIZE[0]
                squares = across**2 + down**2
                target[row, column] = np.exp(-squares / (2 * sigma**2))
            target /= target.sum()
            chance = np.exp(scores.astype(float))
            chance /= chance.sum()
            total -= weight * (target * np.log(chance)).sum()
    return total / weights.size


@pytest.mark.parametrize(("sigma", "offset"), [(0.5, 0.0), (1.5, 0.0), (1.0, 0.375)])
def test_location_loss_is_the_cross_entropy_to_a_gaussian(sigma, offset):
    how = {"sigma": sigma, "offset": offset}
    loss = location_loss(LOGITS, POINTS, weights=WEIGHTS, **how)
    expected = slow_location_loss(LOGITS, POINTS, WEIGHTS, **how)
    assert number(loss) == pytest.approx(expected, rel=1e-5)


def test_the_offset_is_that_of_the_loss_s_terms():
    sigmas = (0.1,) * 3
    loss = LocationLoss(1.0, SIZE, sigmas, offset=0.375)
    outputs = {
        "location_logits": LOGITS,
        "keypoints": POINTS,
        "scores": np.ones((2, 3, 1), "float32"),
    }
    terms = loss(outputs, {"keypoints": POINTS, "weights": WEIGHTS})
    expected = slow_location_loss(LOGITS, POINTS, WEIGHTS, 1.0, 0.375)
    assert number(terms["location"]) == pytest.approx(expected, rel=1e-5)
    assert number(terms["regression"]) == 0  # of the coordinates, which hold it already
    assert LocationLoss(**loss.get_config()).offset == 0.375


def test_location_loss_is_least_for_the_gaussian_itself():
    def at(x):
        rows = -0.5 * (np.arange(SIZE[0]) - 0.5 * SIZE[0]) ** 2
        columns = -0.5 * (np.arange(SIZE[1]) - x * SIZE[1]) ** 2
        return (rows[:, None] + columns)[None, None].astype("float32")

    points, weights = np.full((1, 1, 2), 0.5, "float32"), np.ones((1, 1, 1), "float32")
    losses = [
        number(location_loss(at(x), points, weights=weights, sigma=1.0))
        for x in (0.3, 0.45, 0.5, 0.55, 0.7)
    ]
    assert np.argmin(losses) == 2


def test_a_label_of_no_worth_changes_nothing():
    points = POINTS.copy()
    points[0, 2] = 0.99
    for loss in (
        lambda p: location_loss(LOGITS, p, weights=WEIGHTS, sigma=1.0),
        lambda p: distance_loss(np.full_like(p, 0.5), p, weights=WEIGHTS),
    ):
        assert number(loss(points)) == pytest.approx(number(loss(POINTS)))


def test_samples_count_by_their_weight():
    def loss(sample_weight):
        return number(
            location_loss(
                LOGITS,
                POINTS,
                weights=WEIGHTS,
                sigma=1.0,
                sample_weight=np.array(sample_weight, "float32"),
            )
        )

    assert loss([3, 0.5]) == pytest.approx(3 * loss([1, 0]) + 0.5 * loss([0, 1]))


def test_distance_loss_by_hand():
    predicted = POINTS + np.array([0.1, -0.3], "float32")
    # |0.1| and |0.3| average 0.2, times the mean worth of a label, 4.4 / 6.
    loss = number(distance_loss(predicted, POINTS, weights=WEIGHTS))
    assert loss == pytest.approx(0.2 * 4.4 / 6, rel=1e-5)


def test_nearness_is_the_oks_of_a_joint():
    size = 128, 96
    spreads = joint_spreads(COCO_17.sigmas, size)
    offset_px = np.array([5.0, -3.0])
    targets = np.full((1, 17, 2), 0.5, "float32")
    predicted = targets + (offset_px / [96, 128]).astype("float32")
    found = ops.convert_to_numpy(nearness(predicted, targets, spreads))[0, :, 0]
    # COCO: exp(-d^2 / (2 area k^2)), k = 2 sigma, of a person on a quarter of the crop.
    area = 0.25 * size[0] * size[1]
    k = 2 * np.asarray(COCO_17.sigmas)
    expected = np.exp(-np.sum(offset_px**2) / (2 * area * k**2))
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_nearness_loss_by_hand():
    scores = np.array([[[0.5], [0.2], [9.0]]], "float32")
    targets = np.array([[[1.0], [0.2], [0.0]]], "float32")
    weights = np.array([[[0.5], [1], [0]]], "float32")
    loss = number(nearness_loss(scores, targets, weights=weights))
    assert loss == pytest.approx(0.5 * 0.25 / 3)
