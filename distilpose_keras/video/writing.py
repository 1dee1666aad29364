"""Video files that are written beside their final name, and survive a full disk."""

import math
import os
import shutil
from contextlib import ExitStack
from pathlib import Path

import cv2
import numpy as np

from distilpose_keras.files import atomic_path
from distilpose_keras.video.mp4_times import set_frame_times
from distilpose_keras.video.reading import DEFAULT_FPS, said_frames

MOST_TICKS = 65_535  # of a second, in an MPEG-4 video
# What the index at the end of a file takes, and what FFmpeg has not yet written, in
# bytes.
PER_FRAME, BUFFERS = 64, (1 << 18) + (1 << 15)


class VideoFile:
    """An MP4 video that gets its name when it is closed."""

    def __init__(self, path: Path, fps: float, size: tuple[int, int]) -> None:
        """Begin a video.

        Args:
            path: its final name.
            fps: frames a second; the nearest that the format has is taken.
            size: (width, height) of the frames in pixels.

        Raises:
            OSError: if it cannot be written.
        """
        self.path, self._size = path, size
        self._fps = representable_fps(fps)
        self._times, self._written = [], 0
        with ExitStack() as stack:
            self._temporary = stack.enter_context(atomic_path(path))
            codec = cv2.VideoWriter_fourcc(*"mp4v")
            self._writer = cv2.VideoWriter(str(self._temporary), codec, self._fps, size)
            if not self._writer.isOpened():
                raise OSError(f"cannot write {path}")
            self._stack = stack.pop_all()

    def write(self, image: np.ndarray, seconds: float | None = None) -> None:
        """Append a frame.

        Args:
            image: (height, width, 3) uint8 BGR; one of another size than the first
                is fitted into it.
            seconds: when it is shown; one frame after the last by default.

        Raises:
            OSError: if there is no room for it and the end of the file. What was
                written before can be closed.
        """
        needed = math.prod(self._size) * 3 // 2 + PER_FRAME * self._written + BUFFERS
        if _room(self._temporary) < needed:
            kept = f"; it is kept with {self._written} frames" if self._written else ""
            raise OSError(f"no space left for {self.path}{kept}")
        if seconds is None:
            seconds = self._times[-1] + 1 / self._fps if self._times else 0.0
        self._writer.write(fit(image, self._size))
        self._times.append(seconds)
        self._written += 1

    def close(self) -> None:
        """Finish the file.

        Raises:
            OSError: if not all frames are in it; it is removed if none are.
        """
        with self._stack:
            self._writer.release()
            # OpenCV does not say that a disk is full. An interrupt may come between a
            # frame and its count.
            found = said_frames(self._temporary)
            error = OSError(
                f"cannot write {self.path}: {found} of {self._written} "
                "frames could be stored; is the disk full?"
            )
            if not found:
                raise error
            if found == self._written and self._is_uneven():
                set_frame_times(self._temporary, self._times, 1 / self._fps)
        if found < self._written:
            raise error

    def _is_uneven(self):
        """Whether frames come more than half a frame early or late."""
        times = np.array(self._times)
        if len(times) < 2:
            return False
        steady = times[0] + np.arange(len(times)) / self._fps
        return bool(np.abs(times - steady).max() > 0.5 / self._fps)


def representable_fps(fps: float) -> float:
    """Return the nearest frame rate that an MPEG-4 video can have.

    Its clock has at most 65,535 ticks a second, and OpenCV counts in tenths,
    hundredths, thousandths: 211.222 is refused, 211.22 is not.
    """
    if not 0 < fps <= MOST_TICKS:  # or not a number
        return DEFAULT_FPS
    return round(fps, int(math.log10(MOST_TICKS / fps)))


def fit(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return the image at a (width, height), its shape kept by black borders."""
    height, width = image.shape[:2]
    if (width, height) == tuple(size):
        return image
    zoom = min(size[0] / width, size[1] / height)
    inner = max(1, round(width * zoom)), max(1, round(height * zoom))
    method = cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR
    fitted = np.zeros((size[1], size[0], 3), image.dtype)
    left, top = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    fitted[top : top + inner[1], left : left + inner[0]] = cv2.resize(
        image, inner, interpolation=method
    )
    return fitted


def _room(path):
    """Bytes that a file can still grow by, for the disk and for the limit of files."""
    room = shutil.disk_usage(path.parent).free
    try:
        import resource
    except ImportError:  # not a Unix
        return room
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    if limit == resource.RLIM_INFINITY:
        return room
    return min(room, limit - os.path.getsize(path))
