"""Pictures from image files, folders, patterns, videos, cameras and streams."""

import glob
import itertools
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from distilpose_keras.data.images import ImageError, decode_image, read_image
from distilpose_keras.types import FilePath
from distilpose_keras.video.image_stream import split_pictures
from distilpose_keras.video.reading import DEFAULT_FPS, VideoFrames

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
VIDEO_SUFFIXES = (
    *(".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v"),
    *(".mpg", ".mpeg", ".ts", ".mts", ".wmv", ".flv", ".3gp"),
)
STREAM = "-"  # the input that stands for standard input
STDIN = 0  # its file descriptor


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
        seconds: time in the video; None for an image file and where a stream has none.
    """

    file_name: str
    image_id: int
    image: np.ndarray | None
    error: str | None = None
    frame: int | None = None
    fps: float | None = None
    seconds: float | None = None


class PictureSource:
    """The pictures of a list of files, folders, patterns, videos, cameras, streams.

    Iterating reads them one by one. A damaged image is a `Picture` with an error, so
    that the others are not lost.

    Attributes:
        images: paths of the image files.
        videos: paths of the video files, numbers of cameras, ``"-"`` for a stream.
    """

    def __init__(
        self,
        inputs: Iterable[FilePath],
        *,
        max_frames: int | None = None,
        stream_fps: float = DEFAULT_FPS,
    ) -> None:
        """List the inputs.

        Args:
            inputs: paths of image files, videos and folders of them; patterns such as
                ``photos/*.jpg``; camera numbers as text; ``-`` for the JPEG or PNG
                pictures that come through standard input, one after the other.
            max_frames: frames to take of each video, camera or stream; all by default.
            stream_fps: frames a second of a stream.

        Raises:
            ValueError: if an input does not exist, is of another kind, a folder has
                no images, two images have the same name or there are to be no frames.
        """
        if max_frames is not None and max_frames < 1:
            raise ValueError(f"frames must be at least 1. Received: {max_frames}")
        self._max_frames, self._stream_fps = max_frames, stream_fps
        self.images: list[Path] = []
        self.videos: list[Path | int | str] = []
        for text in map(str, inputs):
            for found in listed_files(text):
                is_image = isinstance(found, Path) and _suffix(found) in IMAGE_SUFFIXES
                (self.images if is_image else self.videos).append(found)
        self._lengths = [self._length(source) for source in self.videos]
        names = [_file_name(source) for source in self.images + self.videos]
        twice = sorted(name for name, times in Counter(names).items() if times > 1)
        if twice:
            raise ValueError(
                f"inputs must have different file names. Received: {twice}"
            )

    @property
    def is_live(self) -> bool:
        """Whether there is a camera or a stream, which may never end."""
        return any(not isinstance(source, Path) for source in self.videos)

    def __len__(self) -> int:
        """Number of pictures; a lower bound for cameras, streams and odd videos."""
        return len(self.images) + sum(length or 1 for length in self._lengths)

    def __iter__(self) -> Iterator[Picture]:
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
        for index, source in enumerate(self.videos):
            name = _file_name(source)
            read = self._streamed if source == STREAM else self._frames
            for fields in read(index, source):
                yield Picture(name, next(numbers), **fields)

    def _frames(self, index, source):
        """The frames of a video or camera, then an error if there are fewer than said.

        A frame that cannot be decoded is passed over but counted, so that the numbers
        of the others are right.
        """
        frames = VideoFrames(source, max_frames=self._max_frames)
        for frame in frames:
            self._lengths[index] = frames.expected
            yield {
                "image": frame.image,
                "frame": frame.number,
                "fps": frames.fps,
                "seconds": frame.seconds,
            }
        if frames.shortage:
            yield {"image": None, "error": frames.shortage}

    def _streamed(self, index, source):
        """The pictures of standard input, then an error if some are damaged."""
        number = damaged = 0
        for number, content in enumerate(split_pictures(_read_stdin), 1):
            try:
                image = decode_image(content, f"picture {number} of standard input")
                yield {"image": image, "frame": number, "fps": self._stream_fps}
            except ImageError:
                damaged += 1
            if number == self._max_frames:
                break
        good = number - damaged
        if not number:
            yield {"image": None, "error": "no picture came through standard input"}
        elif damaged:
            error = f"standard input had {number} pictures, of which {good} can be read"
            yield {"image": None, "error": error}

    def _length(self, source):
        """Frames that a video says it has; None where it cannot be known."""
        if not isinstance(source, Path):
            return self._max_frames
        return VideoFrames(source, max_frames=self._max_frames).expected


def listed_files(text):
    """Return what one input of the user stands for: paths, a camera, the stream."""
    path = Path(text)
    if text == STREAM:
        return [STREAM]
    if path.is_dir():
        return _files_in(path)
    if path.is_file():
        if _suffix(path) in IMAGE_SUFFIXES + VIDEO_SUFFIXES:
            return [path]
        raise ValueError(
            "an input must be an image, a folder, a video, a camera number or - for "
            f"standard input. Received: {text}"
        )
    if text.isdecimal():
        return [int(text)]
    if "://" in text:
        raise ValueError(
            "addresses are not opened: let ffmpeg -i ADDRESS -f image2pipe -c:v mjpeg "
            f"- write to the input -. Received: {text}"
        )
    if glob.has_magic(text):
        found = _pictures_among(map(Path, glob.glob(text, recursive=True)))
        if found:
            return found
        raise ValueError(f"no images or videos match the pattern: {text}")
    raise ValueError(f"input not found: {text}")


def _files_in(folder):
    """The images and videos of a folder, by name."""
    found = _pictures_among(folder.iterdir())
    if not found:
        raise ValueError(f"no images ({', '.join(IMAGE_SUFFIXES)}) in {folder}")
    return found


def _pictures_among(paths):
    """Those that are images or videos, by name."""
    return sorted(
        path
        for path in paths
        # macOS puts "._NAME" with a picture's attributes beside it on foreign disks.
        if _suffix(path) in IMAGE_SUFFIXES + VIDEO_SUFFIXES
        and not path.name.startswith(".")
        and path.is_file()
    )


def _read_stdin(count):
    # Not sys.stdin: its lock would be held by a thread that waits for more at the end.
    return os.read(STDIN, count)


def _suffix(path):
    return path.suffix.lower()


def _file_name(source):
    if source == STREAM:
        return "stdin.mp4"
    return f"camera-{source}.mp4" if isinstance(source, int) else source.name
