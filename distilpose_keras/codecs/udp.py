"""Heatmaps of unbiased data processing (UDP; Huang et al., CVPR 2020).

The first and the last pixel of a map lie on the crop's edges, where those of
`codecs.heatmaps` lie half a pixel inside and outside: so a mirrored map fits without a
shift. Legend: N or B samples, K keypoints, M maps of (H, W) pixels. Normalised
keypoints are x / (W - 1) and y / (H - 1) of the map's pixels.
"""

from dataclasses import dataclass

import cv2
import keras
import numpy as np
from keras import ops

from distilpose_keras.codecs.codec import Outputs
from distilpose_keras.codecs.dark import KERNEL
from distilpose_keras.codecs.gaussians import (
    draw_gaussians,
    graph_draw_gaussians,
    rounded_peaks,
)
from distilpose_keras.codecs.heatmaps import (
    HeatmapCodec,
    find_peaks,
    flip_heatmaps,
    graph_find_peaks,
    graph_quarter_offsets,
    normalised,
    quarter_offsets,
)
from distilpose_keras.geometry import UDP
from distilpose_keras.keypoints import KeypointSchema

# Published code: a smoothed map is limited to this range before its logarithm ...
LOWEST, HIGHEST = 1e-3, 50.0
# ... and this is added to the Hessian's diagonal, so that it can be inverted.
DAMPING = 1.19e-7  # float32's epsilon
AROUND = 3  # the peak and its neighbours


@keras.saving.register_keras_serializable("distilpose_keras")
@dataclass(frozen=True)
class UdpHeatmapCodec(HeatmapCodec):
    """Heatmaps (B, K, H, W) whose outer pixels lie on the edges of the crop.

    Attributes:
        dark: refine peaks by one Newton step on the log of the smoothed map, as
            published, else by a quarter pixel.
    """

    dark: bool = True

    def encode(self, keypoints, weights):
        """Draw Gaussians around keypoints between pixels; see `encode_heatmaps`."""
        points = np.asarray(keypoints, np.float64) * self._last
        peaks = np.trunc(rounded_peaks(points))
        return draw_gaussians(points, peaks, weights, self.heatmap_size, self.sigma)

    def graph_encode(self, keypoints, weights):
        """Return what `encode` does, as tensors."""
        points = ops.cast(keypoints, "float32") * self._last
        peaks = ops.trunc(rounded_peaks(points))
        return graph_draw_gaussians(
            points, peaks, weights, self.heatmap_size, self.sigma
        )

    def decode(self, outputs: Outputs) -> tuple[np.ndarray, np.ndarray]:
        """Return keypoints (N, K, 2) and the maxima (N, K)."""
        maps, rows, columns, scores = find_peaks(outputs["heatmaps"])
        offsets = (newton_offsets if self.dark else quarter_offsets)(
            maps, rows, columns
        )
        points = np.stack([columns, rows], axis=1) + offsets
        points = np.where(scores[:, None] > 0, points, self.missing)
        shape = outputs["heatmaps"].shape[:2]
        return points.reshape(*shape, 2) / self._last, scores.reshape(shape)

    def graph_decode(self, outputs: Outputs) -> Outputs:
        """Return the tensors `keypoints` (B, K, 2) and `scores` (B, K, 1)."""
        heatmaps = outputs["heatmaps"]
        rows, columns, scores = graph_find_peaks(heatmaps)
        offsets = (graph_newton_offsets if self.dark else graph_quarter_offsets)(
            heatmaps, rows, columns
        )
        keypoints = normalised(rows, columns, offsets, scores, self._last, self.missing)
        return {"keypoints": keypoints, "scores": scores}

    def average_mirrored(
        self, outputs: Outputs, mirrored: Outputs, schema: KeypointSchema
    ) -> Outputs:
        """Average the maps; the mirrored ones lie where they should."""
        other = flip_heatmaps(mirrored["heatmaps"], schema, shift=False)
        return {"heatmaps": (outputs["heatmaps"] + other) / 2}

    def positions(self, keypoints: np.ndarray) -> np.ndarray:
        """Return keypoints (..., K, 2) in pixels of the map."""
        return keypoints * self._last

    @property
    def _last(self):
        """(x, y) of the last pixel."""
        return UDP.span(self.heatmap_size).astype("float32")


def newton_offsets(maps, rows, columns):
    """Return (M, 2) Newton steps on the log of the smoothed maps, however long.

    Args:
        maps: (M, H, W).
        rows: (M,) of the peaks.
        columns: (M,).
    """
    above = _neighbours(maps.shape[1])[rows].reshape(len(maps), AROUND, -1)
    beside = _neighbours(maps.shape[2])[columns].reshape(len(maps), AROUND, -1)
    values = above @ maps @ beside.transpose(0, 2, 1)  # (M, 3, 3)
    steps, determinant = _newton_step(np.log(np.clip(values, LOWEST, HIGHEST)))
    return np.stack(steps, axis=-1) / determinant[..., None]


def graph_newton_offsets(heatmaps, rows, columns):
    """Return what `newton_offsets` does, as tensors.

    Args:
        heatmaps: (B, K, H, W).
        rows: (B, K, H), 1 at the peak's row.
        columns: (B, K, W), 1 at the peak's column.

    Returns:
        (B, K, 2) x and y in pixels of the map.
    """
    _, joints, height, width = heatmaps.shape
    above = ops.matmul(rows, _neighbours(height).astype("float32"))  # (B, K, 3 H)
    beside = ops.matmul(columns, _neighbours(width).astype("float32"))
    above = ops.reshape(above, (-1, joints, AROUND, height))
    beside = ops.reshape(beside, (-1, joints, AROUND, width))
    values = ops.matmul(
        ops.matmul(above, heatmaps), ops.transpose(beside, (0, 1, 3, 2))
    )  # (B, K, 3, 3)
    logs = ops.log(ops.minimum(ops.maximum(values, LOWEST), HIGHEST))
    steps, determinant = _newton_step(logs)
    # Where logs are equal, runtimes that add in another order lose the damping.
    curved = ops.cast(determinant != 0, "float32")
    inverse = curved / (determinant + (1 - curved))
    return ops.stack(steps, axis=-1) * inverse[..., None]


def _newton_step(logs):
    """Return the steps in x and y times a determinant, and that.

    Args:
        logs: (..., 3, 3) logarithms around peaks.
    """
    middle = logs[..., 1, 1]
    left, right = logs[..., 1, 0], logs[..., 1, 2]
    up, down = logs[..., 0, 1], logs[..., 2, 1]
    dx, dy = 0.5 * (right - left), 0.5 * (down - up)
    dxx = right - 2 * middle + left + DAMPING
    dyy = down - 2 * middle + up + DAMPING
    diagonal = logs[..., 2, 2] + logs[..., 0, 0]
    dxy = 0.5 * (diagonal - right - down + 2 * middle - left - up)
    determinant = dxx * dyy - dxy * dxy
    return (dxy * dy - dyy * dx, dxy * dx - dxx * dy), determinant


def _neighbours(length):
    """(length, 3 * length): the blur's weights for a pixel and its two neighbours.

    Beyond the map, the smoothed map continues with its outermost value.
    """
    padded = np.pad(_blur_matrix(length), ((1, 1), (0, 0)), mode="edge")
    windows = [padded[i : i + length] for i in range(AROUND)]
    return np.stack(windows, axis=1).reshape(length, -1)


def _blur_matrix(length):
    """(length, length) matrix of a 1D blur that mirrors the map at its outer pixels."""
    taps = cv2.getGaussianKernel(KERNEL, 0)[:, 0]
    sources = np.pad(np.arange(length), KERNEL // 2, mode="reflect")
    matrix = np.zeros((length, length))
    for i in range(length):
        np.add.at(matrix[i], sources[i : i + KERNEL], taps)
    return matrix
