"""Functions that are compared meet the same moments of the machine."""

import numpy as np

from distilpose_keras.timing import interleave


def test_functions_are_timed_in_turns():
    order = []
    ticks = iter(range(100))
    seconds = interleave(
        [lambda: order.append("a"), lambda: order.append("b")],
        rounds=3,
        clock=lambda: next(ticks),
    )
    assert "".join(order) == "aabb" + "ab" * 3  # two calls warm up
    np.testing.assert_array_equal(seconds, np.ones((3, 2)))


def test_seconds_are_those_of_each_call_and_round():
    now = [0.0]

    def spends(seconds):
        def call():
            now[0] += seconds

        return call

    rounds = []
    seconds = interleave(
        [spends(2.0), spends(0.5)],
        rounds=2,
        clock=lambda: now[0],
        advance=lambda: rounds.append(now[0]),
    )
    np.testing.assert_array_equal(seconds, [[2.0, 0.5]] * 2)
    assert rounds == [7.5, 10.0]  # after each round; 5 went before the first
