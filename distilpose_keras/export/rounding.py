"""Rounding of weights to int8 that keeps a layer's outputs, not its weights.

Rounding each weight to the nearest step is not the best choice: what one weight loses,
others that see correlated inputs can make up for. Column by column, the error of a
rounded weight is distributed over those not yet rounded, by the second moments of the
layer's inputs (Frantar et al., GPTQ, 2023).
"""

import numpy as np

LEVELS = 127
# Processors without VNNI (AVX2, AVX-512BW) add the products of two neighbouring
# inputs, uint8 times int8, in 16 bits. Where the two weights are of one sign and have
# more steps than these, the sum saturates and is wrong: 255 * 128 < 2^15 < 255 * 129.
LEVELS_OF_PAIRS = 128
# Fraction of the mean squared input that is added to each: directions in which the
# calibration does not vary stay near their nearest step.
DAMPING = 0.01
ROWS_PER_CROP = 128
BLOCK = 64  # columns whose errors are distributed one by one


def nearest(weights, *, in_pairs=False):
    """Round weights to int8 steps, one scale per output.

    Args:
        weights: (out, K) float.
        in_pairs: whether columns 2i and 2i + 1 together are to stay within
            `LEVELS_OF_PAIRS`.

    Returns:
        (out, K) int8 and the scales (out,) float64.
    """
    scales = _scales(weights, in_pairs)
    return np.rint(weights / scales[:, None]).astype(np.int8), scales


def compensated(weights, moments, *, in_pairs=False):
    """Round weights to int8 steps so that outputs change least.

    Args:
        weights: (out, K) float.
        moments: (K, K), the mean of x x^T over the inputs x of the layer.
        in_pairs: see `nearest`.

    Returns:
        (out, K) int8 and the scales (out,) float64, those of `nearest`.
    """
    scales = _scales(weights, in_pairs)
    left = (np.asarray(weights, np.float64) / scales[:, None]).T  # (K, out)
    left = np.ascontiguousarray(left)
    steps = np.empty(left.shape, np.int8)
    factor = _inverse_factor(np.asarray(moments, np.float64))
    for begin in range(0, len(left), BLOCK):
        end = min(begin + BLOCK, len(left))
        errors = np.empty((end - begin, left.shape[1]))
        for k in range(begin, end):
            low, high = -LEVELS, LEVELS
            if in_pairs and k % 2:
                before = steps[k - 1].astype(int)
                low = np.maximum(low, -LEVELS_OF_PAIRS - np.minimum(before, 0))
                high = np.minimum(high, LEVELS_OF_PAIRS - np.maximum(before, 0))
            steps[k] = np.clip(np.rint(left[k]), low, high)
            error = errors[k - begin] = (left[k] - steps[k]) / factor[k, k]
            left[k + 1 : end] -= factor[k, k + 1 : end, None] * error
        # The columns after the block: all its errors in one matrix product.
        left[end:] -= factor[begin:end, end:].T @ errors
    return np.ascontiguousarray(steps.T), scales


def _scales(weights, in_pairs):
    """Steps per output; 1 where all weights are 0."""
    largest = np.abs(weights).max(axis=1).astype(np.float64)
    if in_pairs:
        even = np.pad(weights, ((0, 0), (0, weights.shape[1] % 2)))
        pairs = even.reshape(len(weights), -1, 2)
        sums = [np.maximum(sign * pairs, 0).sum(axis=2).max(axis=1) for sign in (1, -1)]
        # Each of the two may be rounded up by half a step: one more, as is allowed.
        largest = np.maximum(largest, np.maximum(*sums))
    return np.where(largest == 0, 1.0, largest / LEVELS)


def _inverse_factor(moments):
    """Upper triangular U with U^T U = the inverse of the damped moments."""
    mean = np.trace(moments) / len(moments) or 1.0
    damped = moments + DAMPING * mean * np.eye(len(moments))
    return np.linalg.cholesky(np.linalg.inv(damped)).T


class Moments:
    """Collects the mean of x x^T over the inputs of one layer."""

    def __init__(self, seed=0):
        """Start empty; `seed` chooses the rows that are kept."""
        self._rng = np.random.default_rng(seed)
        self._sum, self._count = 0.0, 0

    def add(self, rows):
        """Add some of the inputs (N, K) that one crop gives."""
        if len(rows) > ROWS_PER_CROP:
            rows = rows[self._rng.permutation(len(rows))[:ROWS_PER_CROP]]
        rows = np.asarray(rows, np.float32)
        self._sum = self._sum + rows.T @ rows
        self._count += len(rows)

    def mean(self):
        """(K, K) float32."""
        return self._sum / self._count


def patches(image, kernel_size, strides, padding):
    """What a convolution's kernel sees at each position.

    Args:
        image: (H, W, C).
        kernel_size: (height, width).
        strides: (down, right).
        padding: zeros above, below, left and right.

    Returns:
        (positions, height * width * C), in that order.
    """
    top, bottom, left, right = padding
    image = np.pad(image, ((top, bottom), (left, right), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(image, kernel_size, axis=(0, 1))
    windows = windows[:: strides[0], :: strides[1]]  # (h, w, C, height, width)
    size = kernel_size[0] * kernel_size[1] * image.shape[2]
    return windows.transpose(0, 1, 3, 4, 2).reshape(-1, size)
