"""Rounding that keeps outputs: better than nearest, equal where nothing correlates."""

import keras
import numpy as np
import pytest

from distilpose_keras.export import rounding


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_the_largest_magnitude_of_an_output_is_127_steps():
    weights = np.array([[0.5, -1.27, 0.013], [0, 0, 0]])
    steps, scales = rounding.nearest(weights)
    np.testing.assert_array_equal(steps, [[50, -127, 1], [0, 0, 0]])
    np.testing.assert_allclose(scales, [0.01, 1])


def test_pairs_of_one_sign_have_128_steps_at_most_together():
    # By the largest alone: 127, 127, 127, -127, 127, 64. The first pair makes 254.
    weights = np.array([[1.27, 1.27, 1.27, -1.27, 1.27, 0.64], [2, 0, 0, 0, 0, 0]])
    steps, scales = rounding.nearest(weights, in_pairs=True)
    np.testing.assert_allclose(scales, [0.02, 2 / 127])
    np.testing.assert_array_equal(steps[0], np.rint(weights[0] / 0.02))
    np.testing.assert_array_equal(steps[1], [127, 0, 0, 0, 0, 0])


def test_an_odd_column_at_the_end_is_a_pair_of_its_own():
    steps, scales = rounding.nearest(np.array([[0.3, 0.1, 1.27]]), in_pairs=True)
    np.testing.assert_array_equal(steps, [[30, 10, 127]])


def test_sums_of_pairs_fit_16_bits_however_errors_are_passed_on(rng):
    weights = rng.laplace(size=(64, 41))
    x = rng.normal(size=(500, 8)) @ rng.normal(size=(8, 41))
    steps, scales = rounding.compensated(weights, x.T @ x / len(x), in_pairs=True)
    np.testing.assert_allclose(scales, rounding.nearest(weights, in_pairs=True)[1])
    pairs = np.pad(steps.astype(int), ((0, 0), (0, 1))).reshape(64, -1, 2)
    for sign in (1, -1):
        sums = 255 * np.maximum(sign * pairs, 0).sum(axis=2)
        assert 2**14 < sums.max() < 2**15
    errors = [
        np.square(x @ (found * scales[:, None] - weights).T).mean()
        for found in (steps, rounding.nearest(weights, in_pairs=True)[0])
    ]
    assert errors[0] < errors[1] / 4


def test_uncorrelated_inputs_leave_the_nearest_steps(rng):
    weights = rng.normal(size=(6, 20))
    for one, other in zip(
        rounding.compensated(weights, np.eye(20)),
        rounding.nearest(weights),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


def test_equal_inputs_share_what_rounding_loses():
    # Inputs 1 to 4 are always equal, so only the sum of their weights counts: 5.6.
    weights = np.array([[127, 1.4, 1.4, 1.4, 1.4]])
    x = np.array([[1, 0, 0, 0, 0], [0, 1, 1, 1, 1]])
    steps, _ = rounding.compensated(weights, x.T @ x / 2)
    assert steps[0, 0] == 127
    assert steps[0, 1:].sum() == 6
    assert rounding.nearest(weights)[0][0, 1:].sum() == 4


def test_inputs_of_different_blocks_share_it_too():
    count, pair = 2 * rounding.BLOCK, [rounding.BLOCK - 1, rounding.BLOCK]
    weights = np.zeros((1, count))
    weights[0, 0], weights[0, pair] = 127, 1.4
    moments = np.eye(count)
    moments[np.ix_(pair, pair)] = 1  # always equal: only the sum counts, 2.8
    steps, _ = rounding.compensated(weights, moments)
    assert steps[0, pair].tolist() == [1, 2]


def test_correlated_inputs_lose_less_than_by_the_nearest_steps(rng):
    weights = rng.normal(size=(16, 40))
    x = rng.normal(size=(500, 8)) @ rng.normal(size=(8, 40))
    errors = []
    for steps, scales in (
        rounding.nearest(weights),
        rounding.compensated(weights, x.T @ x / len(x)),
    ):
        errors.append(np.square(x @ (steps * scales[:, None] - weights).T).mean())
    assert errors[1] < errors[0] / 4


def test_inputs_that_are_always_zero_are_no_obstacle(rng):
    steps, _ = rounding.compensated(rng.normal(size=(3, 5)), np.zeros((5, 5)))
    assert np.abs(steps).max() == 127


def test_moments_are_those_of_all_rows_where_they_are_few(rng):
    rows = rng.normal(size=(2, 50, 4)).astype("float32")
    moments = rounding.Moments()
    for part in rows:
        moments.add(part)
    everything = rows.reshape(-1, 4)
    expected = everything.T @ everything / 100
    np.testing.assert_allclose(moments.mean(), expected, atol=1e-5)


def test_moments_of_many_rows_are_those_of_a_sample(rng):
    rows = np.stack([np.arange(1000), np.ones(1000)], axis=1)
    moments = rounding.Moments()
    moments.add(rows)
    mean = moments.mean()
    assert mean[1, 1] == 1
    assert mean[0, 1] == pytest.approx(499.5, rel=0.2)


@pytest.mark.parametrize(
    "strides, padding", [((1, 1), (0, 0, 0, 0)), ((2, 2), (1,) * 4)]
)
def test_patches_times_a_kernel_are_a_convolution(strides, padding, rng):
    image = rng.normal(size=(9, 8, 3)).astype("float32")
    kernel = rng.normal(size=(3, 3, 3, 5)).astype("float32")
    top, bottom, left, right = padding
    padded = np.pad(image, ((top, bottom), (left, right), (0, 0)))
    expected = keras.ops.conv(padded[None], kernel, strides=strides, padding="valid")
    found = rounding.patches(image, (3, 3), strides, padding) @ kernel.reshape(-1, 5)
    np.testing.assert_allclose(
        found, keras.ops.convert_to_numpy(expected).reshape(-1, 5), atol=1e-4
    )
