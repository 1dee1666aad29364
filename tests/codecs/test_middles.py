"""Boxes as maps and back."""

import keras
import numpy as np
import pytest

from distilpose_keras.codecs.middles import STRIDE, encode, graph_decode


def test_the_maps_of_a_box_by_hand():
    # Its middle, (36, 44), lies in the cell of column 4 and row 5.
    maps = encode([[4, 12, 64, 64]], (96, 128))
    assert maps["middles"].shape == (12, 16, 1)
    assert maps["middles"][5, 4, 0] == 1
    assert (maps["middles"] == 1).sum() == 1
    # From the cell's own middle, (36, 44).
    np.testing.assert_allclose(maps["sides"][5, 4], [32, 32, 32, 32])
    assert maps["shares"].sum() == pytest.approx(1)
    # Half sides of 4 cells reach 2 cells: 0.54 x 4, cut.
    rows, columns = np.nonzero(maps["middles"][..., 0])
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (3, 7, 2, 6)


def test_the_smaller_person_has_the_cells_that_two_share():
    maps = encode([[32, 32, 16, 16], [0, 0, 96, 96]], (96, 96))
    np.testing.assert_allclose(maps["sides"][5, 5], [12, 12, 4, 4])


def test_what_is_nobodys_fault_does_not_count():
    counted = encode([], (32, 32), [[9, 0, 6, 10]])["counted"][..., 0]
    np.testing.assert_array_equal(counted, [[1, 0, 1, 1]] * 2 + [[1, 1, 1, 1]] * 2)


@pytest.mark.backend
def test_targets_decode_to_the_box_that_they_were_made_of():
    box, size = np.array([10.0, 20.0, 50.0, 60.0]), (96, 128)
    maps = encode([box], size)
    raw = {
        "middles": (20 * maps["middles"] - 10)[None],
        "sides": np.log(maps["sides"] / STRIDE)[None],
    }
    decoded = graph_decode({k: keras.ops.convert_to_tensor(v) for k, v in raw.items()})
    scores = keras.ops.convert_to_numpy(decoded["scores"])[0]
    boxes = keras.ops.convert_to_numpy(decoded["boxes"])[0]
    best = boxes[scores.argmax()] * np.tile(size[::-1], 2)
    np.testing.assert_allclose(best, [10, 20, 60, 80], atol=1e-3)
    assert scores.max() == pytest.approx(1 / (1 + np.exp(-10)))
