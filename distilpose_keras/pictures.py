"""Pictures in and out: image files, folders, videos and cameras."""

import itertools
import math
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from distilpose_keras.data.images import ImageError, read_image
from distilpose_keras.files import atomic_path

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
VIDEO_SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v")
DEFAULT_FPS = 25.0  # where a camera does not say
MOST_TICKS = 65_535  # of a second, in an MPEG-4 video
MOST_FRAMES = 1 << 31  # more are no count, but a file that does not say
DAMAGED_IN_A_ROW = 50  # after which a video is taken to have ended


@dataclass(frozen=True)
class Picture:
    """One image to work on.

    Attributes:
        file_name: its file, or the video that it is a frame of.
        image_id: the number in its file name, where all inputs are numbered as in
            COCO; else its position in the input, from 1.
        image: (height, width, 3) uint8 RGB, or None if it cannot be read.
        error: one line on why it cannot be read, or None.
        frame: position in the video, from 1; None for an image file.
        fps: of the video.
    """

    file_name: str
    image_id: int
    image: np.ndarray | None
    error: str | None = None
    frame: int | None = None
    fps: float | None = None


class PictureSource:
    """The pictures of a list of image files, folders, videos and camera numbers.

    Iterating reads them one by one. A damaged image is a `Picture` with an error, so
    that the others are not lost.
    """

    def __init__(self, inputs, *, max_frames=None):
        """List the inputs.

        Args:
            inputs: paths, or camera numbers as text.
            max_frames: frames to take of each video or camera; all by default.

        Raises:
            ValueError: if an input does not exist, is of another kind, a folder has
                no images, two images have the same name or there are to be no frames.
        """
        if max_frames is not None and max_frames < 1:
            raise ValueError(f"frames must be at least 1. Received: {max_frames}")
        self._max_frames = max_frames
        self.images = []
        self.videos = []
        for text in map(str, inputs):
            path = Path(text)
            if path.is_dir():
                self.images += _images_in(path)
            elif path.is_file() and path.suffix.lower() in IMAGE_SUFFIXES:
                self.images.append(path)
            elif path.is_file() and path.suffix.lower() in VIDEO_SUFFIXES:
                self.videos.append(path)
            elif text.isdecimal() and not path.exists():
                self.videos.append(int(text))
            elif not path.exists():
                raise ValueError(f"input not found: {text}")
            else:
                raise ValueError(
                    "an input must be an image, a folder, a video or a camera number. "
                    f"Received: {text}"
                )
        names = [_file_name(source) for source in self.images + self.videos]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(
                f"inputs must have different file names. Received: {twice}"
            )

    def __len__(self):
        """Number of pictures; a lower bound for cameras and odd videos."""
        return len(self.images) + sum(map(self._frame_count, self.videos))

    def __iter__(self):
        """Yield `Picture` objects."""
        numbers = itertools.count(1)
        stems = [path.stem for path in self.images]
        numbered = not self.videos and all(stem.isdecimal() for stem in stems)
        for path in self.images:
            image_id = int(path.stem) if numbered else next(numbers)
            try:
                yield Picture(path.name, image_id, read_image(path))
            except ImageError as error:
                yield Picture(path.name, image_id, None, str(error))
        for source in self.videos:
            yield from self._frames(source, numbers)

    def _frames(self, source, numbers):
        """The frames of a video or camera, then an error if there are fewer than said.

        A frame that cannot be decoded is passed over but counted, so that the numbers
        of the others are right.
        """
        capture = cv2.VideoCapture(source if isinstance(source, int) else str(source))
        name = _file_name(source)
        fps = capture.get(cv2.CAP_PROP_FPS) or DEFAULT_FPS
        said = self._frame_count(source)
        read = failed = 0
        try:
            for frame in itertools.count(1):
                if self._max_frames is not None and frame > self._max_frames:
                    break
                decoded, image = capture.read()
                if decoded:
                    read, failed = read + 1, 0
                    image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
                    yield Picture(name, next(numbers), image, None, frame, fps)
                    continue
                failed += 1
                if read >= said or failed > DAMAGED_IN_A_ROW or not read:
                    break
        finally:
            capture.release()
        if not read:
            error = f"no video can be read from {source}"
            yield Picture(name, next(numbers), None, error)
        elif read < said:
            error = f"{source} has {said} frames, of which {read} can be read"
            yield Picture(name, next(numbers), None, error)

    def _frame_count(self, source):
        """Frames that a video says it has."""
        count = 1 if isinstance(source, int) else max(1, _said_frames(source))
        return min(count, self._max_frames or count)


class PictureWriter:
    """Writes pictures into a folder: images under their own names, frames as video.

    ``walk.avi`` becomes ``walk.mp4``; where that is taken by another input,
    ``walk.avi.mp4``. A video has its final name when it is closed.
    """

    def __init__(self, folder):
        """Write into ``folder``, which is made if it is missing."""
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._videos = {}

    def write(self, picture, image):
        """Write the version ``image`` (uint8 RGB) of ``picture``.

        Raises:
            OSError: if it cannot be written.
        """
        image = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        path = self.folder / picture.file_name
        if picture.frame is not None:
            self._video(picture, image).write(image)
            return
        encoded, content = cv2.imencode(path.suffix.lower(), image)
        if not encoded:
            raise OSError(f"cannot write {path}")
        with atomic_path(path) as temporary:
            temporary.write_bytes(content.tobytes())

    def close(self):
        """Finish the videos.

        Raises:
            OSError: naming those that could not be written whole; they are removed.
        """
        errors = []
        for video in self._videos.values():
            try:
                video.close()
            except OSError as error:
                errors.append(str(error))
        self._videos.clear()
        if errors:
            raise OSError("; ".join(errors))

    def _video(self, picture, image):
        """The open video file for a frame."""
        name = picture.file_name
        if name not in self._videos:
            path = self.folder / Path(name).with_suffix(".mp4")
            if any(video.path == path for video in self._videos.values()):
                path = path.with_name(f"{name}.mp4")
            self._videos[name] = _VideoFile(path, picture.fps, image.shape[1::-1])
        return self._videos[name]


class _VideoFile:
    """A video that is being written beside its final name."""

    def __init__(self, path, fps, size):
        self.path, self._size, self._written = path, size, 0
        with ExitStack() as stack:
            self._temporary = stack.enter_context(atomic_path(path))
            codec = cv2.VideoWriter_fourcc(*"mp4v")
            self._writer = cv2.VideoWriter(
                str(self._temporary), codec, representable_fps(fps), size
            )
            if not self._writer.isOpened():
                raise OSError(f"cannot write {path}")
            self._stack = stack.pop_all()

    def write(self, image):
        """Append a frame (BGR)."""
        if image.shape[1::-1] != self._size:
            raise OSError(
                f"all frames of {self.path} must be {self._size}. "
                f"Received: {image.shape[1::-1]}"
            )
        self._writer.write(image)
        self._written += 1

    def close(self):
        """Finish the file; raise `OSError` and remove it if it is not whole."""
        with self._stack:
            self._writer.release()
            # OpenCV does not say that a disk is full. An interrupt may come between a
            # frame and its count.
            found = _said_frames(self._temporary)
            if found < self._written:
                raise OSError(
                    f"cannot write {self.path}: {found} of {self._written} "
                    "frames could be stored; is the disk full?"
                )


def representable_fps(fps):
    """Return the nearest frame rate that an MPEG-4 video can have.

    Its clock has at most 65,535 ticks a second, and OpenCV counts in tenths,
    hundredths, thousandths: 211.222 is refused, 211.22 is not.
    """
    if not 0 < fps <= MOST_TICKS:  # or not a number
        return DEFAULT_FPS
    return round(fps, int(math.log10(MOST_TICKS / fps)))


def _images_in(folder):
    """The images of a folder, by name."""
    images = sorted(
        path
        for path in folder.iterdir()
        # macOS puts "._NAME" with a picture's attributes beside it on foreign disks.
        if path.suffix.lower() in IMAGE_SUFFIXES
        and not path.name.startswith(".")
        and path.is_file()
    )
    if not images:
        raise ValueError(f"no images ({', '.join(IMAGE_SUFFIXES)}) in {folder}")
    return images


def _said_frames(path):
    """Frames that a video file says it has; not positive if it does not say."""
    capture = cv2.VideoCapture(str(path))
    count = capture.get(cv2.CAP_PROP_FRAME_COUNT)
    capture.release()
    return int(count) if 0 < count < MOST_FRAMES else 0


def _file_name(source):
    return f"camera-{source}.mp4" if isinstance(source, int) else source.name
