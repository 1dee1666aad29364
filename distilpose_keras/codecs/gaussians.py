"""Gaussians around keypoints: the targets of heatmaps.

Legend: N or B samples, K keypoints, (H, W) heatmap pixels. Normalised keypoints are
x / width and y / height of the crop.
"""

import numpy as np
from keras import ops
from numpy.typing import ArrayLike

from distilpose_keras.types import Size, Tensor

# A Gaussian of a target ends at this many standard deviations to each side.
BOX_SIGMAS = 3.0
# Heatmap pixels: a centre that is a tie up to float32 rounding is rounded up.
TIE_TOLERANCE = 1e-4
SIGMA = 2.0  # heatmap pixels, for maps of 64x48 (Xiao et al., 2018)


def encode_heatmaps(
    keypoints: ArrayLike, weights: ArrayLike, heatmap_size: Size, sigma: float = SIGMA
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a Gaussian around each labelled keypoint, in NumPy.

    The peak lies on the nearest heatmap pixel and has the value 1; the Gaussian ends
    at three sigmas. The target of SimpleBaselines (Xiao et al., 2018), the encoding
    called MSRA in mmpose.

    Args:
        keypoints: (..., K, 2) normalised.
        weights: (..., K, 1), 0 for a keypoint that is not labelled.
        heatmap_size: (H, W).
        sigma: standard deviation in heatmap pixels.

    Returns:
        heatmaps (..., K, H, W) and weights (..., K, 1), float32. Both are zero for a
        keypoint that is hidden or whose Gaussian does not touch the map.
    """
    points = np.asarray(keypoints, np.float64) * np.array(heatmap_size[::-1])
    peaks = np.trunc(rounded_peaks(points))
    return draw_gaussians(peaks, peaks, weights, heatmap_size, sigma)


def rounded_peaks(points):
    """Return what is truncated to the nearest pixels of (..., 2) points.

    Truncated, not rounded down: as Python's int() does for keypoints left of the map.
    """
    return points + (0.5 + TIE_TOLERANCE)


def draw_gaussians(middles, peaks, weights, heatmap_size, sigma):
    """Draw a Gaussian of the height 1 for each labelled keypoint, in NumPy.

    Args:
        middles: (..., K, 2) in heatmap pixels.
        peaks: (..., K, 2) whole pixels; a Gaussian ends three sigmas from its peak.
        weights: (..., K, 1), 0 for a keypoint that is not labelled.
        heatmap_size: (H, W).
        sigma: standard deviation in heatmap pixels.

    Returns:
        heatmaps (..., K, H, W) and weights (..., K, 1), float32; see
        `encode_heatmaps`.
    """
    size = np.array(heatmap_size[::-1])
    reach = BOX_SIGMAS * sigma
    on_map = np.all(
        (peaks - reach < size) & (peaks + reach + 1 >= 0), axis=-1, keepdims=True
    )
    weights = np.where(on_map, weights, 0.0)

    def profile(axis):
        pixels = np.arange(size[axis])
        values = np.exp(-((pixels - middles[..., axis, None]) ** 2) / (2 * sigma**2))
        near = np.abs(pixels - peaks[..., axis, None]) <= reach
        return np.where(near, values, 0.0)

    heatmaps = profile(1)[..., :, None] * profile(0)[..., None, :]
    heatmaps = heatmaps * (weights[..., None] > 0)
    return heatmaps.astype(np.float32), weights.astype(np.float32)


def graph_encode_heatmaps(
    keypoints: Tensor, weights: Tensor, heatmap_size: Size, sigma: float = SIGMA
) -> tuple[Tensor, Tensor]:
    """Return what `encode_heatmaps` does, as tensors.

    Args:
        keypoints: (B, K, 2) normalised.
        weights: (B, K, 1).
        heatmap_size: (H, W).
        sigma: standard deviation in heatmap pixels.
    """
    size = np.array(heatmap_size[::-1], "float32")
    points = ops.multiply(ops.cast(keypoints, "float32"), size)
    peaks = ops.trunc(rounded_peaks(points))
    return graph_draw_gaussians(peaks, peaks, weights, heatmap_size, sigma)


def graph_draw_gaussians(middles, peaks, weights, heatmap_size, sigma):
    """Return what `draw_gaussians` does, as tensors; its arguments are (B, K, ...)."""
    weights = ops.cast(weights, "float32")
    height, width = heatmap_size
    size = ops.convert_to_tensor([width, height], "float32")
    reach = BOX_SIGMAS * sigma
    on_map = ops.all(
        (peaks - reach < size) & (peaks + reach + 1 >= 0), axis=-1, keepdims=True
    )
    weights = weights * ops.cast(on_map, "float32")

    def profile(axis, length):
        pixels = ops.arange(length, dtype="float32")
        offsets = pixels - middles[..., axis, None]
        values = ops.exp(-0.5 * ops.square(offsets) / sigma**2)
        near = ops.abs(pixels - peaks[..., axis, None]) <= reach
        return values * ops.cast(near, "float32")

    drawn = ops.cast(weights > 0, "float32")[..., None]
    maps = profile(1, height)[..., :, None] * profile(0, width)[..., None, :]
    return drawn * maps, weights
