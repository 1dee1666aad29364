"""The One-Euro filter against its definition, and what it does to noise."""

import math

import numpy as np
import pytest

from distilpose_keras.smoothing import OneEuroFilter


def test_two_steps_by_hand():
    smooth = OneEuroFilter(slowest=1.0, per_speed=0.5)
    np.testing.assert_array_equal(smooth([[0.0, 10.0]], 0.0, 100.0), [[0, 10]])
    # A step of 10 px in 0.1 s: 100 px/s, smoothed at 1 Hz from 0.
    alpha = 1 / (1 + 1 / (2 * math.pi * 1.0 * 0.1))
    speed = alpha * 100.0
    cutoff = 1.0 + 0.5 * speed / 100.0
    share = 1 / (1 + 1 / (2 * math.pi * cutoff * 0.1))
    found = smooth([[10.0, 10.0]], 0.1, 100.0)
    np.testing.assert_allclose(found, [[share * 10.0, 10.0]], rtol=1e-12)


def test_a_point_at_rest_trembles_less():
    rng = np.random.default_rng(0)
    smooth = OneEuroFilter()
    noisy = 50 + rng.normal(0, 1, (200, 17, 2))
    calm = np.array([smooth(p, n / 25, 200.0) for n, p in enumerate(noisy)])
    before, after = np.diff(noisy, axis=0).std(), np.diff(calm, axis=0).std()
    assert after < 0.4 * before
    assert calm[50:].mean() == pytest.approx(50, abs=0.1)


def test_a_point_that_runs_is_not_left_behind():
    smooth = OneEuroFilter()
    for n in range(100):
        place = np.full((1, 2), 8.0 * n)  # a person's height a second
        found = smooth(place, n / 25, 200.0)
    assert np.abs(found - place).max() < 12  # less than two frames
