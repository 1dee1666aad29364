"""Keypoints as heatmaps: a Gaussian around each, the peak read back.

Legend: N or B samples, K keypoints, (H, W) heatmap pixels. Normalised keypoints are
x / width and y / height of the crop.
"""

from dataclasses import dataclass, replace

import keras
import numpy as np
from keras import ops
from numpy.typing import ArrayLike

from distilpose_keras.codecs.codec import Codec, Outputs
from distilpose_keras.codecs.dark import dark_offsets
from distilpose_keras.codecs.dark_graph import graph_dark_offsets
from distilpose_keras.codecs.gaussians import (
    SIGMA,
    encode_heatmaps,
    graph_encode_heatmaps,
)
from distilpose_keras.codecs.peaks import graph_argmax
from distilpose_keras.keypoints import KeypointSchema
from distilpose_keras.types import Tensor

MISSING = -1.0  # mmpose: x and y, in heatmap pixels, where a map has no positive value
FAR = 2.0  # heatmap pixels: DARK moves a well-formed peak by less than one


@keras.saving.register_keras_serializable("distilpose_keras")
@dataclass(frozen=True)
class HeatmapCodec(Codec):
    """Heatmaps (B, K, H, W) whose peak is the keypoint and its value the score.

    Attributes:
        heatmap_size: (H, W).
        sigma: standard deviation of the targets' Gaussians, in heatmap pixels.
        dark: refine peaks by DARK, else move them a quarter pixel towards the higher
            neighbour, the published default.
        missing: x and y, in heatmap pixels, of a keypoint whose map has no positive
            value: 0 in code that goes back to HRNet's.
    """

    heatmap_size: tuple[int, int]
    sigma: float = SIGMA
    dark: bool = False
    missing: float = MISSING

    outputs = ("heatmaps",)

    def __post_init__(self):
        """Take sizes as JSON has them, too."""
        object.__setattr__(self, "heatmap_size", tuple(self.heatmap_size))

    def encode(
        self, keypoints: ArrayLike, weights: ArrayLike
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return `encode_heatmaps` of normalised keypoints, in NumPy."""
        return encode_heatmaps(keypoints, weights, self.heatmap_size, self.sigma)

    def graph_encode(self, keypoints: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Return `graph_encode_heatmaps` of normalised keypoints, as tensors."""
        return graph_encode_heatmaps(keypoints, weights, self.heatmap_size, self.sigma)

    def decode(self, outputs: Outputs) -> tuple[np.ndarray, np.ndarray]:
        """Return keypoints (N, K, 2) and the maxima (N, K)."""
        return decode_heatmaps(
            outputs["heatmaps"], dark=self.dark, missing=self.missing
        )

    def graph_decode(self, outputs: Outputs) -> Outputs:
        """Return the tensors `keypoints` (B, K, 2) and `scores` (B, K, 1)."""
        keypoints, scores = graph_decode_heatmaps(
            outputs["heatmaps"], dark=self.dark, missing=self.missing
        )
        return {"keypoints": keypoints, "scores": scores}

    def average_mirrored(
        self, outputs: Outputs, mirrored: Outputs, schema: KeypointSchema
    ) -> Outputs:
        """Average the maps, the mirrored ones shifted by a pixel."""
        other = flip_heatmaps(mirrored["heatmaps"], schema)
        return {"heatmaps": (outputs["heatmaps"] + other) / 2}

    def heatmaps(self, outputs: Outputs) -> Tensor:
        """Return the maps."""
        return outputs["heatmaps"]

    def with_dark(self, dark: bool | None) -> "HeatmapCodec":
        """Return the codec that refines peaks by DARK, or does not."""
        return self if dark is None else replace(self, dark=dark)

    def positions(self, keypoints: np.ndarray) -> np.ndarray:
        """Return keypoints (..., K, 2) in pixels of the map."""
        return keypoints * np.array(self.heatmap_size[::-1])

    def scores_at(self, outputs: Outputs, keypoints: np.ndarray) -> np.ndarray:
        """Return the values of the maps at the pixels nearest to keypoints.

        A refined peak may lie some pixels from its maximum: a keypoint within a pixel
        of it counts as it. Where DARK leads further than `FAR`, the map has no peak
        and the way follows the last bit: any keypoint counts. One off its map, as one
        without a positive value decodes to, counts as the highest pixel where that is
        not positive, else as 0.
        """
        maps, places = outputs["heatmaps"], self.positions(keypoints)
        peaks, scores = self.decode(outputs)
        peaks = self.positions(peaks)
        height, width = maps.shape[2:]
        _, rows, columns, _ = find_peaks(maps)
        highest = np.stack([columns, rows], axis=-1).reshape(peaks.shape)
        same = np.all(np.abs(peaks - places) < 1, axis=-1)
        same |= np.any(np.abs(peaks - highest) > FAR, axis=-1) & (scores > 0)
        pixels = np.rint(places).astype(int)
        inside = np.all((pixels >= 0) & (pixels < (width, height)), axis=-1)
        x, y = np.moveaxis(np.where(inside[..., None], pixels, 0), -1, 0)
        n, k = np.indices(inside.shape)
        there = np.where(inside, maps[n, k, y, x], np.minimum(maps.max(axis=(2, 3)), 0))
        return np.where(same, scores, there)


def decode_heatmaps(
    heatmaps: ArrayLike, *, dark: bool = False, missing=MISSING
) -> tuple[np.ndarray, np.ndarray]:
    """Return the peaks of heatmaps and their values, in NumPy.

    The peak is refined by DARK (Zhang et al., CVPR 2020), one Newton step on the
    logarithm of the smoothed heatmap, or moved a quarter pixel towards the higher
    neighbour.

    Args:
        heatmaps: (N, K, H, W).
        dark: refine by DARK, else by a quarter pixel.
        missing: x and y of a keypoint whose map has no positive value.

    Returns:
        keypoints (N, K, 2) float64, normalised, and scores (N, K), the maxima.
    """
    maps, rows, columns, scores = find_peaks(heatmaps)
    count, joints, height, width = np.shape(heatmaps)
    points = np.stack([columns, rows], axis=1).astype(np.float64)
    offsets = (dark_offsets if dark else quarter_offsets)(maps, rows, columns)
    points = np.where(scores[:, None] > 0, points + offsets, missing)
    keypoints = points.reshape(count, joints, 2) / [width, height]
    return keypoints, scores.reshape(count, joints)


def find_peaks(heatmaps):
    """Return maps (M, H, W), and row, column and value (M,) of the largest pixels.

    Args:
        heatmaps: (N, K, H, W), M = N * K in all.
    """
    heatmaps = np.asarray(heatmaps, np.float32)
    if heatmaps.ndim != 4:
        raise ValueError(f"heatmaps must be (N, K, H, W). Received: {heatmaps.shape}")
    count, joints, height, width = heatmaps.shape
    maps = heatmaps.reshape(count * joints, height, width)
    peaks = maps.reshape(len(maps), height * width).argmax(axis=1)
    rows, columns = np.divmod(peaks, width)
    return maps, rows, columns, maps[np.arange(len(maps)), rows, columns]


def graph_decode_heatmaps(
    heatmaps: Tensor, *, dark: bool = False, missing=MISSING
) -> tuple[Tensor, Tensor]:
    """Return what `decode_heatmaps` does, as tensors.

    Only operations that TFLite has built in and ONNX in its standard domain.

    Args:
        heatmaps: (B, K, H, W).
        dark: refine by DARK, else by a quarter pixel.
        missing: x and y of a keypoint whose map has no positive value.

    Returns:
        keypoints (B, K, 2), normalised, and scores (B, K, 1).
    """
    height, width = heatmaps.shape[2:]
    rows, columns, scores = graph_find_peaks(heatmaps)
    offsets = (graph_dark_offsets if dark else graph_quarter_offsets)(
        heatmaps, rows, columns
    )
    size = (width, height)
    return normalised(rows, columns, offsets, scores, size, missing), scores


def graph_find_peaks(heatmaps):
    """Return where the largest pixels of heatmaps (B, K, H, W) are, as tensors.

    Returns:
        rows (B, K, H) and columns (B, K, W), 1 at the first largest pixel and 0
        elsewhere, and its value (B, K, 1).
    """
    _, joints, height, width = heatmaps.shape
    flat = ops.reshape(heatmaps, (-1, joints, height * width))
    peaks, scores = graph_argmax(flat)  # (B, K), (B, K, 1)
    row = ops.floor((peaks + 0.5) / width)  # (B, K); not exactly divisible: no rounding
    return _one_hot(row, height), _one_hot(peaks - row * width, width), scores


def normalised(rows, columns, offsets, scores, size, missing=MISSING):
    """Return normalised keypoints (B, K, 2) of refined peaks, as tensors.

    Args:
        rows: (B, K, H), 1 at the peak's row.
        columns: (B, K, W), 1 at the peak's column.
        offsets: (B, K, 2) from the peak, in pixels.
        scores: (B, K, 1).
        size: pixels (x, y) of the map that are 1.
        missing: x and y in pixels, where a score is not positive.
    """
    points = ops.stack(
        [
            ops.sum(
                ops.multiply(places, np.arange(places.shape[-1], dtype="float32")),
                axis=-1,
            )
            for places in (columns, rows)
        ],
        axis=-1,
    )
    found = ops.cast(scores > 0, "float32")
    points = found * (points + offsets - missing) + missing
    return ops.multiply(points, (1 / np.asarray(size)).astype("float32"))


def _one_hot(positions, length):
    """(B, K, length), 1 at whole positions (B, K): products with it read a pixel."""
    # By `ops`: PyTorch's tensors cannot be joined to arrays while they are trained.
    distance = ops.subtract(np.arange(length, dtype="float32"), positions[..., None])
    return ops.cast(ops.abs(distance) < 0.5, "float32")


def quarter_offsets(maps, rows, columns):
    """(M, 2) quarter-pixel steps towards the higher neighbour; 0 near the border."""
    height, width = maps.shape[1:]
    inner = (columns > 1) & (columns < width - 1) & (rows > 1) & (rows < height - 1)
    n = np.flatnonzero(inner)
    y, x = rows[n], columns[n]
    offsets = np.zeros((len(maps), 2))
    offsets[n, 0] = np.sign(maps[n, y, x + 1] - maps[n, y, x - 1]) * 0.25
    offsets[n, 1] = np.sign(maps[n, y + 1, x] - maps[n, y - 1, x]) * 0.25
    return offsets


def graph_quarter_offsets(heatmaps, rows, columns):
    """(B, K, 2) steps of `quarter_offsets`."""
    height, width = heatmaps.shape[2:]
    row = ops.sum(heatmaps * rows[..., None], axis=2)  # (B, K, W) through the peak
    column = ops.sum(heatmaps * columns[..., None, :], axis=3)  # (B, K, H)
    inner = ops.sum(columns[..., 2 : width - 1], axis=-1) * ops.sum(
        rows[..., 2 : height - 1], axis=-1
    )
    steps = [
        ops.sum((line[..., 2:] - line[..., :-2]) * place[..., 1:-1], axis=-1)
        for line, place in ((row, columns), (column, rows))
    ]
    return 0.25 * ops.sign(ops.stack(steps, axis=-1)) * inner[..., None]


def flip_heatmaps(
    heatmaps: ArrayLike, schema: KeypointSchema, shift: bool = True
) -> np.ndarray:
    """Mirror (..., K, H, W) heatmaps and exchange left and right.

    Args:
        heatmaps: predicted on the mirrored crop.
        schema: KeypointSchema of the keypoints.
        shift: move the result one pixel to the right, which aligns it with the
            heatmaps of the crop itself (the grid is not symmetric about the crop).
    """
    mirrored = np.asarray(heatmaps)[..., schema.flip_permutation, :, ::-1].copy()
    if shift:
        mirrored[..., 1:] = mirrored[..., :-1].copy()
    return mirrored
