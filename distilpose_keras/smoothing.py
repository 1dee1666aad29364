"""The One-Euro filter: calm where a point rests, quick where it moves.

Casiez, Roussel, Vogel: "1 Euro Filter: A Simple Speed-based Low-pass Filter for Noisy
Input in Interactive Systems", CHI 2012. For what people look at: poses that are scored
are never filtered.
"""

import math

import numpy as np

SLOWEST = 1.0  # Hz, the cutoff of a point at rest
# Hz of cutoff per speed, in sizes of the person a second: measured with
# `distilpose benchmark tracking`, where jitter falls and the error does not rise.
PER_SPEED = 6.0
SPEED_CUTOFF = 1.0  # Hz, of the speed itself


class OneEuroFilter:
    """Smooths the keypoints of one person over time."""

    def __init__(
        self, *, slowest: float = SLOWEST, per_speed: float = PER_SPEED
    ) -> None:
        """Begin without a past.

        Args:
            slowest: cutoff frequency of a point at rest, Hz.
            per_speed: by how much it rises with speed in person sizes a second, Hz.
        """
        self._slowest, self._per_speed = slowest, per_speed
        self._seconds: float | None = None

    def __call__(
        self, keypoints: np.ndarray, seconds: float, size: float
    ) -> np.ndarray:
        """Smooth one frame.

        Args:
            keypoints: (K, 2) pixels.
            seconds: time of the frame, ascending.
            size: of the person in pixels, such as the diagonal of the box.

        Returns:
            (K, 2) float64 pixels.
        """
        points = np.asarray(keypoints, np.float64)
        if self._seconds is None:
            self._points, self._speed = points, np.zeros_like(points)
        else:
            passed = max(seconds - self._seconds, 1e-3)
            speed = (points - self._raw) / passed
            self._speed = _blend(self._speed, speed, _share(SPEED_CUTOFF, passed))
            fast = np.linalg.norm(self._speed, axis=1, keepdims=True) / size
            cutoff = self._slowest + self._per_speed * fast
            self._points = _blend(self._points, points, _share(cutoff, passed))
        self._raw, self._seconds = points, seconds
        return self._points


def _share(cutoff, passed):
    """The share of the new value in a low-pass filter of a cutoff in Hz."""
    return 1 / (1 + 1 / (2 * math.pi * cutoff * passed))


def _blend(old, new, share):
    return old + share * (new - old)
