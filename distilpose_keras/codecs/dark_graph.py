"""DARK as tensors: what `distilpose_keras.codecs.dark` computes, inside a graph.

Peaks are given as one-hot rows and columns, so that everything is a product with a
constant matrix: no gather, which phones run slowly, and no loop.
"""

import numpy as np
from keras import ops

from distilpose_keras.codecs.dark import LOG_FLOOR, blur_matrix
from distilpose_keras.types import Tensor

REACH = 2  # pixels of the smoothed map that are read to each side of the peak


def graph_dark_offsets(heatmaps: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Return Newton steps on the log of the smoothed maps; 0 near the border.

    Args:
        heatmaps: (B, K, H, W).
        rows: (B, K, H), 1 at the peak's row.
        columns: (B, K, W), 1 at the peak's column.

    Returns:
        (B, K, 2) x and y in pixels of the map.
    """
    values = _smooth_neighbourhood(heatmaps, rows, columns) * _blur_gain(heatmaps)
    logs = ops.log(ops.maximum(values, LOG_FLOOR))  # (B, K, 5, 5)
    middle = logs[..., 2, 2]
    dx = 0.5 * (logs[..., 2, 3] - logs[..., 2, 1])
    dy = 0.5 * (logs[..., 3, 2] - logs[..., 1, 2])
    dxx = 0.25 * (logs[..., 2, 4] - 2 * middle + logs[..., 2, 0])
    dyy = 0.25 * (logs[..., 4, 2] - 2 * middle + logs[..., 0, 2])
    diagonal = logs[..., 3, 3] + logs[..., 1, 1]
    dxy = 0.25 * (diagonal - logs[..., 1, 3] - logs[..., 3, 1])
    determinant = dxx * dyy - dxy * dxy
    curved = ops.cast(determinant != 0, "float32")
    inverse = curved / (determinant + (1 - curved))
    step = ops.stack([dxy * dy - dyy * dx, dxy * dx - dxx * dy], axis=-1)
    inner = ops.sum(rows[..., REACH:-REACH], axis=-1) * ops.sum(
        columns[..., REACH:-REACH], axis=-1
    )
    return step * (inverse * inner)[..., None]


def _smooth_neighbourhood(heatmaps, rows, columns):
    """(B, K, 5, 5) values of the blurred maps around their peaks."""
    _, joints, height, width = heatmaps.shape
    side = 2 * REACH + 1
    above = ops.matmul(rows, _neighbours(height))  # (B, K, 5 H)
    beside = ops.matmul(columns, _neighbours(width))  # (B, K, 5 W)
    above = ops.reshape(above, (-1, joints, side, height))
    beside = ops.reshape(beside, (-1, joints, side, width))
    return ops.matmul(ops.matmul(above, heatmaps), ops.transpose(beside, (0, 1, 3, 2)))


def _neighbours(length):
    """(length, 5 * length): the blurs' weights for five pixels around each one."""
    padded = np.pad(blur_matrix(length), ((REACH, REACH), (0, 0)))
    windows = [padded[i : i + length] for i in range(2 * REACH + 1)]
    return np.stack(windows, axis=1).reshape(length, -1)


def _blur_gain(heatmaps):
    """(B, K, 1, 1) factors that give blurred maps their maxima back."""
    height, width = heatmaps.shape[2:]
    smooth = ops.matmul(ops.matmul(blur_matrix(height), heatmaps), blur_matrix(width))
    before = ops.max(heatmaps, axis=(2, 3), keepdims=True)
    after = ops.max(smooth, axis=(2, 3), keepdims=True)
    there = ops.cast(after != 0, "float32")
    return there * before / (after + (1 - there)) + (1 - there)
