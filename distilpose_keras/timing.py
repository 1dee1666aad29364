"""Timing of things that are compared."""

import time

import numpy as np


def interleave(calls, *, rounds, clock=time.perf_counter, advance=None):
    """Time functions in turns, so that a slow moment of the machine meets all alike.

    Args:
        calls: functions without arguments.
        rounds: how often each is timed, after two calls to warm up.
        clock: function that returns seconds.
        advance: None, or a function called after each round.

    Returns:
        (rounds, len(calls)) float64 seconds.
    """
    for call in calls:
        call()
        call()
    seconds = np.empty((rounds, len(calls)))
    for row in seconds:
        for i, call in enumerate(calls):
            start = clock()
            call()
            row[i] = clock() - start
        if advance is not None:
            advance()
    return seconds
