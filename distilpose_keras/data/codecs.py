"""Keypoints to training targets and back: coordinates, heatmaps, flips.

Legend: N people, K keypoints, (H, W) heatmap size. Normalised keypoints are x / width
and y / height of the crop. Centers and scales describe the crops (`transforms`).
"""

import cv2
import numpy as np

from distilpose_keras.data.transforms import PIXEL_STD

LOG_FLOOR = 1e-10  # heatmap values below it count as this in the logarithm


def encode_regression(keypoints_px, visibility, input_size):
    """Return normalised keypoints and their weights.

    Args:
        keypoints_px: (..., K, 2) pixels of the crop.
        visibility: (..., K), 0 for a joint that is not labelled.
        input_size: (height, width) of the crop.

    Returns:
        keypoints (..., K, 2) and weights (..., K, 1), float32; the weight is 1 for a
        labelled joint inside the crop, else 0.
    """
    height, width = input_size
    points = np.asarray(keypoints_px, np.float64)
    last = np.array([width - 1, height - 1])
    inside = np.all((points >= 0) & (points <= last), axis=-1)
    weights = (inside & (np.asarray(visibility) > 0))[..., None]
    return (points / [width, height]).astype(np.float32), weights.astype(np.float32)


def decode_regression(keypoints, centers, scales):
    """Return keypoints in pixels of the source image.

    Args:
        keypoints: (N, K, 2) normalised.
        centers: (N, 2) pixels.
        scales: (N, 2) in units of 200 pixels.

    Returns:
        (N, K, 2) float64.
    """
    extents = np.asarray(scales, np.float64)[:, None] * PIXEL_STD
    corners = np.asarray(centers, np.float64)[:, None] - extents * 0.5
    return np.asarray(keypoints, np.float64) * extents + corners


def encode_heatmaps(
    keypoints_px, visibility, input_size, *, heatmap_size=(64, 48), sigma=2.0
):
    """Return Gaussian heatmaps and their weights.

    The peak lies on the nearest heatmap pixel and has the value 1; the Gaussian ends
    at three sigmas. Follows the target of SimpleBaselines (Xiao et al., 2018).

    Args:
        keypoints_px: (..., K, 2) pixels of the crop.
        visibility: (..., K), 0 for a joint that is not labelled.
        input_size: (height, width) of the crop.
        heatmap_size: (H, W).
        sigma: in heatmap pixels.

    Returns:
        heatmaps (..., K, H, W) and weights (..., K, 1), float32; the weight is 0 for
        a joint whose Gaussian lies off the map.
    """
    size = np.array(heatmap_size[::-1])
    stride = np.array(input_size[::-1]) / size
    peaks = np.trunc(np.asarray(keypoints_px, np.float64) / stride + 0.5)
    radius = 3 * sigma
    on_map = np.all((peaks - radius < size) & (peaks + radius + 1 >= 0), axis=-1)
    drawn = on_map & (np.asarray(visibility) > 0)

    def profile(axis):
        offsets = np.arange(size[axis]) - peaks[..., axis, None]
        values = np.exp(-(offsets**2) / (2 * sigma**2))
        return np.where(np.abs(offsets) <= radius, values, 0.0)

    heatmaps = profile(1)[..., :, None] * profile(0)[..., None, :]
    heatmaps = heatmaps * drawn[..., None, None]
    return heatmaps.astype(np.float32), drawn[..., None].astype(np.float32)


def decode_heatmaps(heatmaps, centers, scales, *, dark=True, kernel=11):
    """Return keypoints in pixels of the source image and their scores.

    The peak is refined by DARK (Zhang et al., CVPR 2020), one Newton step on the
    logarithm of the smoothed heatmap, or moved a quarter pixel towards the higher
    neighbour. A map without a positive value gives the point (-1, -1) of the map.

    Args:
        heatmaps: (N, K, H, W).
        centers: (N, 2) pixels.
        scales: (N, 2) in units of 200 pixels.
        dark: refine by DARK, else by a quarter pixel.
        kernel: odd width of the Gaussian that DARK smooths with.

    Returns:
        keypoints_px (N, K, 2) float64 and scores (N, K), the maxima.
    """
    heatmaps = np.asarray(heatmaps, np.float32)
    if heatmaps.ndim != 4:
        raise ValueError(f"heatmaps must be (N, K, H, W). Received: {heatmaps.shape}")
    count, joints, height, width = heatmaps.shape
    maps = heatmaps.reshape(count * joints, height, width)
    peaks = maps.reshape(len(maps), height * width).argmax(axis=1)
    rows, columns = np.divmod(peaks, width)
    scores = maps[np.arange(len(maps)), rows, columns]
    points = np.stack([columns, rows], axis=1).astype(np.float64)
    found = scores > 0
    offsets = (
        _dark_offsets(maps, rows, columns, kernel)
        if dark
        else _quarter_offsets(maps, rows, columns)
    )
    points = np.where(found[:, None], points + offsets, -1.0)
    normalised = points.reshape(count, joints, 2) / [width, height]
    keypoints_px = decode_regression(normalised, centers, scales)
    return keypoints_px, scores.reshape(count, joints)


def _quarter_offsets(maps, rows, columns):
    """(M, 2) quarter-pixel steps towards the higher neighbour; 0 near the border."""
    height, width = maps.shape[1:]
    inner = (columns > 1) & (columns < width - 1) & (rows > 1) & (rows < height - 1)
    n = np.flatnonzero(inner)
    y, x = rows[n], columns[n]
    offsets = np.zeros((len(maps), 2))
    offsets[n, 0] = np.sign(maps[n, y, x + 1] - maps[n, y, x - 1]) * 0.25
    offsets[n, 1] = np.sign(maps[n, y + 1, x] - maps[n, y - 1, x]) * 0.25
    return offsets


def _dark_offsets(maps, rows, columns, kernel):
    """(M, 2) Newton steps on the log of the smoothed maps; 0 near the border."""
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
    taps = _blur_matrix(side, kernel)[reach : reach + 5]
    return taps @ windows[np.arange(len(maps)), rows - 2, columns - 2] @ taps.T


def _blur_gain(maps, kernel):
    """(M,) factors that give blurred (M, H, W) maps their maxima back."""
    height, width = maps.shape[1:]
    smooth = _blur_matrix(height, kernel) @ maps @ _blur_matrix(width, kernel)
    before, after = maps.max(axis=(1, 2)), smooth.max(axis=(1, 2))
    return np.divide(before, after, out=np.ones_like(before), where=after != 0)


def _blur_matrix(length, kernel):
    """(length, length) matrix of a 1D Gaussian blur with zeros beyond the ends."""
    weights = cv2.getGaussianKernel(kernel, 0)[:, 0].astype(np.float32)
    reach = kernel // 2
    distance = np.subtract.outer(np.arange(length), np.arange(length))
    near = np.abs(distance) <= reach
    return np.where(near, weights[np.clip(distance + reach, 0, kernel - 1)], 0)


def flip_keypoints(keypoints, schema):
    """Mirror (..., K, 2) normalised keypoints and exchange left and right."""
    mirrored = np.asarray(keypoints)[..., schema.flip_permutation, :].copy()
    mirrored[..., 0] = 1 - mirrored[..., 0]
    return mirrored


def flip_heatmaps(heatmaps, schema, shift=True):
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
