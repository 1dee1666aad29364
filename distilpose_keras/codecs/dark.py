"""DARK: peaks of heatmaps between pixels (Zhang et al., CVPR 2020), in NumPy.

One Newton step on the logarithm of the smoothed map from its largest pixel. Legend: M
maps of (H, W) pixels.
"""

import cv2
import numpy as np

LOG_FLOOR = 1e-10  # values below it count as this in the logarithm
KERNEL = 11  # pixels of the Gaussian that smooths


def dark_offsets(
    maps: np.ndarray, rows: np.ndarray, columns: np.ndarray, kernel: int = KERNEL
) -> np.ndarray:
    """Return (M, 2) Newton steps on the log of the smoothed maps; 0 near the border."""
    height, width = maps.shape[1:]
    inner = (columns > 1) & (columns < width - 2) & (rows > 1) & (rows < height - 2)
    n = np.flatnonzero(inner)
    values = _smooth_neighbourhood(maps[n], rows[n], columns[n], kernel)
    # Scaling a map changes no difference of logarithms, so the gain that restores its
    # maximum matters only where the floor cuts in.
    floored = np.flatnonzero(values.min(axis=(1, 2)) <= LOG_FLOOR)
    values[floored] *= _blur_gain(maps[n[floored]], kernel)[:, None, None]
    logs = np.log(np.maximum(values, LOG_FLOOR)).astype(np.float64)

    middle = logs[:, 2, 2]
    dx = 0.5 * (logs[:, 2, 3] - logs[:, 2, 1])
    dy = 0.5 * (logs[:, 3, 2] - logs[:, 1, 2])
    dxx = 0.25 * (logs[:, 2, 4] - 2 * middle + logs[:, 2, 0])
    dyy = 0.25 * (logs[:, 4, 2] - 2 * middle + logs[:, 0, 2])
    dxy = 0.25 * (logs[:, 3, 3] - logs[:, 1, 3] - logs[:, 3, 1] + logs[:, 1, 1])
    determinant = dxx * dyy - dxy**2
    curved = determinant != 0
    divisor = np.where(curved, determinant, 1.0)
    offsets = np.zeros((len(maps), 2))
    offsets[n, 0] = np.where(curved, (dxy * dy - dyy * dx) / divisor, 0.0)
    offsets[n, 1] = np.where(curved, (dxy * dx - dxx * dy) / divisor, 0.0)
    return offsets


def _smooth_neighbourhood(maps, rows, columns, kernel):
    """(M, 5, 5) values of the blurred (M, H, W) maps around one pixel of each."""
    reach = kernel // 2
    padded = np.pad(maps, ((0, 0), (reach, reach), (reach, reach)))
    side = 5 + 2 * reach
    windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side), (1, 2))
    taps = blur_matrix(side, kernel)[reach : reach + 5]
    return taps @ windows[np.arange(len(maps)), rows - 2, columns - 2] @ taps.T


def _blur_gain(maps, kernel):
    """(M,) factors that give blurred (M, H, W) maps their maxima back."""
    height, width = maps.shape[1:]
    smooth = blur_matrix(height, kernel) @ maps @ blur_matrix(width, kernel)
    before, after = maps.max(axis=(1, 2)), smooth.max(axis=(1, 2))
    return np.divide(before, after, out=np.ones_like(before), where=after != 0)


def blur_matrix(length: int, kernel: int = KERNEL) -> np.ndarray:
    """Return the (length, length) matrix of a 1D blur with zeros beyond the ends."""
    weights = cv2.getGaussianKernel(kernel, 0)[:, 0].astype(np.float32)
    reach = kernel // 2
    distance = np.subtract.outer(np.arange(length), np.arange(length))
    near = np.abs(distance) <= reach
    return np.where(near, weights[np.clip(distance + reach, 0, kernel - 1)], 0)
