"""Peaks of heatmaps that move along each axis on its own."""

import keras
import numpy as np
import pytest

from distilpose_keras.codecs.each_axis import EachAxisCodec
from distilpose_keras.codecs.heatmaps import HeatmapCodec

SIZE = (16, 12)
CODEC = EachAxisCodec(SIZE)


def map_with(row, column, *, right=0.0, below=0.0):
    """A map with one peak, and a higher neighbour on its right or below it."""
    maps = np.zeros((1, 1, *SIZE), "float32")
    maps[0, 0, row, column] = 2
    if column + 1 < SIZE[1]:
        maps[0, 0, row, column + 1] = right
    if row + 1 < SIZE[0]:
        maps[0, 0, row + 1, column] = below
    return maps


def decoded(maps):
    """Keypoints in heatmap pixels, of NumPy and of a graph."""
    in_graph = CODEC.graph_decode({"heatmaps": keras.ops.convert_to_tensor(maps)})
    return [
        np.asarray(keypoints)[0, 0] * SIZE[::-1]
        for keypoints in (
            CODEC.decode({"heatmaps": maps})[0],
            keras.ops.convert_to_numpy(in_graph["keypoints"]),
        )
    ]


# mmpose 1.x: x moves if 1 < x < W - 1 and 0 < y < H, y likewise, each on its own.
@pytest.mark.backend
@pytest.mark.parametrize(
    ("row", "column", "step"),
    [
        (5, 6, (0.25, 0.25)),
        (1, 6, (0.25, 0)),  # HRNet's rule moves neither
        (15, 6, (0.25, 0)),
        (5, 1, (0, 0.25)),
        (5, 11, (0, 0.25)),
        (0, 6, (0, 0)),
        (5, 0, (0, 0)),
        (2, 2, (0.25, 0.25)),
        (14, 10, (0.25, 0.25)),
    ],
)
def test_each_axis_has_its_own_border(row, column, step):
    for found in decoded(map_with(row, column, right=1.0, below=1.0)):
        np.testing.assert_allclose(found, np.add((column, row), step), atol=1e-5)


@pytest.mark.backend
def test_a_graph_decodes_as_numpy_does():
    maps = np.random.default_rng(0).normal(size=(8, 17, *SIZE)).astype("float32")
    maps[0, 0] = -1
    keypoints, scores = CODEC.decode({"heatmaps": maps})
    in_graph = CODEC.graph_decode({"heatmaps": keras.ops.convert_to_tensor(maps)})
    found = {k: keras.ops.convert_to_numpy(v) for k, v in in_graph.items()}
    np.testing.assert_allclose(found["keypoints"], keypoints, atol=1e-6)
    np.testing.assert_array_equal(found["scores"][..., 0], scores)
    np.testing.assert_allclose(keypoints[0, 0] * SIZE[::-1], [-1, -1])


def test_dark_is_the_same_as_elsewhere():
    maps = np.random.default_rng(1).random((2, 17, *SIZE)).astype("float32")
    ours, theirs = (kind(SIZE, dark=True) for kind in (EachAxisCodec, HeatmapCodec))
    np.testing.assert_array_equal(
        ours.decode({"heatmaps": maps})[0], theirs.decode({"heatmaps": maps})[0]
    )
    tensors = {"heatmaps": keras.ops.convert_to_tensor(maps)}
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(ours.graph_decode(tensors)["keypoints"]),
        keras.ops.convert_to_numpy(theirs.graph_decode(tensors)["keypoints"]),
    )
