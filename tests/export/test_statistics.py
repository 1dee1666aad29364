"""Statistics of calibration: extremes of all crops, ranges of usual ones."""

import numpy as np
import pytest

from distilpose_keras.export.statistics import MARGIN, WeightedLayer, collect

LINEAR = WeightedLayer(weights="w", source="tokens", window=None)


def collected(values, layers=()):
    """Statistics of a graph that gives each crop one of the values."""
    left = iter(values)
    crops = np.zeros((len(values), 2, 2, 3), np.uint8)
    return collect(lambda crop: {"tokens": next(left)}, crops, layers)


def test_a_range_has_the_extremes_of_all_crops():
    values = [np.array([low, high]) for low, high in ((-1, 2), (-5, 1), (0, 9))]
    found = collected(values).ranges["tokens"]
    assert (found.lowest, found.highest) == (-5, 9)


def test_usual_values_decide_where_to_clip():
    # 99 crops from -1 to 1 and an odd one: mean 1.09, deviation 0.8955.
    values = [np.array([-1.0, 1.0])] * 99 + [np.array([-10.0, 10.0])]
    found = collected(values).ranges["tokens"]
    assert found.high == pytest.approx(1.09 + MARGIN * 0.8955, abs=1e-3)
    assert found.low == -found.high


def test_no_range_is_wider_than_the_values():
    found = collected([np.array([-1.0, 1.0]), np.array([-1.2, 1.1])]).ranges["tokens"]
    assert found.low == found.lowest == -1.2
    assert found.high == found.highest == 1.1


def test_moments_are_those_of_what_a_layer_reads():
    tokens = np.array([[[1.0, 2.0], [3.0, 0.0]]])
    found = collected([tokens, tokens], [LINEAR]).moments["w"]
    np.testing.assert_allclose(found, [[5, 1], [1, 2]])


def test_progress_is_told_once_for_each_crop():
    calls = []
    collect(
        lambda crop: {"image": crop},
        np.zeros((3, 2, 2, 3), np.uint8),
        [],
        progress=lambda: calls.append(None),
    )
    assert len(calls) == 3
