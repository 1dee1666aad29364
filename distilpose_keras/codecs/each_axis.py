"""Heatmaps as mmpose 1.x decodes them: x and y are refined apart.

Where a peak lies on a map's border in one direction, mmpose 0.x leaves it there in
both; 1.x still moves it along the other. Legend: N or B samples, K keypoints, M maps of
(H, W) pixels.
"""

from dataclasses import dataclass

import keras
import numpy as np
from keras import ops

from distilpose_keras.codecs.codec import Outputs
from distilpose_keras.codecs.heatmaps import (
    HeatmapCodec,
    find_peaks,
    graph_find_peaks,
    normalised,
)

STEP = 0.25  # of a pixel, towards the higher neighbour


@keras.saving.register_keras_serializable("distilpose_keras")
@dataclass(frozen=True)
class EachAxisCodec(HeatmapCodec):
    """Heatmaps (B, K, H, W) whose peak moves along x and y each on its own."""

    def decode(self, outputs: Outputs) -> tuple[np.ndarray, np.ndarray]:
        """Return keypoints (N, K, 2) and the maxima (N, K)."""
        if self.dark:
            return super().decode(outputs)
        maps, rows, columns, scores = find_peaks(outputs["heatmaps"])
        points = np.stack([columns, rows], axis=1) + axis_offsets(maps, rows, columns)
        points = np.where(scores[:, None] > 0, points, self.missing)
        count, joints, height, width = outputs["heatmaps"].shape
        keypoints = points.reshape(count, joints, 2) / [width, height]
        return keypoints, scores.reshape(count, joints)

    def graph_decode(self, outputs: Outputs) -> Outputs:
        """Return the tensors `keypoints` (B, K, 2) and `scores` (B, K, 1)."""
        if self.dark:
            return super().graph_decode(outputs)
        heatmaps = outputs["heatmaps"]
        rows, columns, scores = graph_find_peaks(heatmaps)
        offsets = graph_axis_offsets(heatmaps, rows, columns)
        size = heatmaps.shape[:1:-1]
        keypoints = normalised(rows, columns, offsets, scores, size, self.missing)
        return {"keypoints": keypoints, "scores": scores}


def axis_offsets(maps, rows, columns):
    """Return (M, 2) quarter-pixel steps towards the higher neighbours.

    No step along an axis at its first two pixels and its last, nor along either where
    the other coordinate is 0.

    Args:
        maps: (M, H, W).
        rows: (M,) of the peaks.
        columns: (M,) of the peaks.
    """
    height, width = maps.shape[1:]
    offsets = np.zeros((len(maps), 2))
    n = np.flatnonzero((columns > 1) & (columns < width - 1) & (rows > 0))
    y, x = rows[n], columns[n]
    offsets[n, 0] = np.sign(maps[n, y, x + 1] - maps[n, y, x - 1]) * STEP
    n = np.flatnonzero((rows > 1) & (rows < height - 1) & (columns > 0))
    y, x = rows[n], columns[n]
    offsets[n, 1] = np.sign(maps[n, y + 1, x] - maps[n, y - 1, x]) * STEP
    return offsets


def graph_axis_offsets(heatmaps, rows, columns):
    """Return the steps (B, K, 2) of `axis_offsets` as tensors.

    Args:
        heatmaps: (B, K, H, W).
        rows: (B, K, H), 1 at the peak's row.
        columns: (B, K, W), 1 at the peak's column.
    """
    lines = (
        ops.sum(heatmaps * rows[..., None], axis=2),  # (B, K, W) through the peak
        ops.sum(heatmaps * columns[..., None, :], axis=3),  # (B, K, H)
    )
    steps = []
    for line, place, other in zip(lines, (columns, rows), (rows, columns), strict=True):
        inner = place[..., 2:-1]
        slope = ops.sum((line[..., 3:] - line[..., 1:-2]) * inner, axis=-1)
        steps.append(ops.sign(slope) * ops.sum(other[..., 1:], axis=-1))
    return STEP * ops.stack(steps, axis=-1)
