"""Frames of video files and cameras, with their times, and how many are missing."""

import itertools
import math
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

DEFAULT_FPS = 25.0  # where a camera or a stream does not say
MOST_FRAMES = 1 << 31  # more are no count, but a file that does not say
DAMAGED_IN_A_ROW = 50  # after which a video is taken to have ended
EBML = b"\x1a\x45\xdf\xa3"  # how Matroska and WebM files begin

# OpenCV's FFmpeg reads this when the first file is opened; its lines on standard error
# would hide the one that counts.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")


@dataclass(frozen=True)
class Frame:
    """One frame.

    Attributes:
        number: its place in the video, from 1.
        seconds: its time in the video.
        image: (height, width, 3) uint8 RGB, turned as a phone's rotation flag says.
    """

    number: int
    seconds: float
    image: np.ndarray


class VideoFrames:
    """The frames of a video file or a camera; iterating reads them one by one.

    A frame that cannot be decoded is passed over but counted, so that the numbers of
    the others are right.

    Attributes:
        fps: frames a second, as the file or the camera says.
        expected: frames that are to come in all, as far as is known; None of a camera.
        shortage: after iterating, one line on the frames that are missing, or None.
    """

    def __init__(self, source: Path | int, *, max_frames: int | None = None) -> None:
        """Look at a video.

        Args:
            source: the path of a file, or the number of a camera.
            max_frames: frames to take at most.
        """
        self._source, self._max_frames = source, max_frames
        self._is_camera = isinstance(source, int)
        self.fps, self.shortage = DEFAULT_FPS, None
        self.expected = max_frames
        self._said = 0
        if not self._is_camera:
            self._look()

    def _look(self):
        """Read what the file says of its length."""
        capture = open_capture(self._source)
        self.fps = _rate(capture)
        self._said = _count(capture)
        capture.release()
        # Matroska does not count: there, OpenCV multiplies length and a frame rate
        # that may be far from the true one.
        self._is_estimate = _begins_with(self._source, EBML)
        self.expected = max(1, self._said)
        if self._max_frames is not None:
            self.expected = min(self.expected, self._max_frames)

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames."""
        capture = open_capture(self._source)
        self.fps = _rate(capture)
        began, gap, last, read = time.monotonic(), 1 / self.fps, 0.0, 0
        try:
            for number, image in self._decoded(capture):
                seconds = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
                if self._is_camera:
                    seconds = time.monotonic() - began
                elif read and not last < seconds < math.inf:
                    seconds = last + 1 / self.fps
                gap, last, read = max(gap, seconds - last), seconds, read + 1
                self._expect_more(number, seconds)
                yield Frame(number, seconds, cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
        finally:
            capture.release()
        self.shortage = self._missing(read, last + 1.5 * gap)

    def _decoded(self, capture):
        """Yield the numbers and images (BGR) of the frames that can be decoded."""
        read = failed = 0
        for number in itertools.count(1):
            if self._max_frames is not None and number > self._max_frames:
                return
            decoded, image = capture.read()
            if decoded:
                read, failed = read + 1, 0
                yield number, image
                continue
            failed += 1
            if read >= self._said or failed > DAMAGED_IN_A_ROW or not read:
                return

    def _expect_more(self, number, seconds):
        """Correct an estimate of the number of frames by those that have come."""
        if self._is_camera or not self._is_estimate or self._max_frames is not None:
            return
        if number > 1 and seconds > 0:
            rate = (number - 1) / seconds
            self.expected = max(number, round(self._said / self.fps * rate))

    def _missing(self, read, end):
        """One line on what is missing of ``read`` frames that last ``end`` seconds."""
        if self._is_camera:
            return None if read else f"no picture comes from camera {self._source}"
        if not read:
            return f"no video can be read from {self._source}"
        most = self._max_frames or math.inf
        if self._is_estimate:
            whole = end >= self._said / self.fps or read >= most
            about = "about "
        else:
            whole, about = read >= min(self._said, most), ""
        if whole:
            return None
        count = self.expected if about else min(self._said, most)
        return f"{self._source} has {about}{count} frames, of which {read} can be read"


def open_capture(source: Path | int) -> cv2.VideoCapture:
    """Open a video or a camera with OpenCV, which keeps to itself what fails."""
    before = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        return cv2.VideoCapture(source if isinstance(source, int) else str(source))
    finally:
        cv2.utils.logging.setLogLevel(before)


def said_frames(path: Path) -> int:
    """Frames that a video file says it has; 0 if it does not say."""
    capture = open_capture(path)
    count = _count(capture)
    capture.release()
    return count


def _count(capture):
    count = capture.get(cv2.CAP_PROP_FRAME_COUNT)
    return int(count) if 0 < count < MOST_FRAMES else 0


def _rate(capture):
    fps = capture.get(cv2.CAP_PROP_FPS)
    return fps if 0 < fps < math.inf else DEFAULT_FPS


def _begins_with(path, signature):
    try:
        with open(path, "rb") as file:
            return file.read(len(signature)) == signature
    except OSError:
        return False
