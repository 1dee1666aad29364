"""Annotated pictures, videos and cut-out people into a folder."""

from pathlib import Path

import cv2
import numpy as np

from distilpose_keras.files import atomic_path
from distilpose_keras.pictures import Picture
from distilpose_keras.types import FilePath
from distilpose_keras.video.writing import VideoFile

CROPS = "crops"  # the folder of the people that are cut out


class PictureWriter:
    """Writes pictures into a folder: images under their own names, frames as video.

    ``walk.avi`` becomes ``walk.mp4``; where that is taken by another input,
    ``walk.avi.mp4``. A video has its final name when it is closed.
    """

    def __init__(self, folder: FilePath) -> None:
        """Write into ``folder``, which is made if it is missing."""
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._videos: dict[str, VideoFile] = {}

    def write(self, picture: Picture, image: np.ndarray) -> None:
        """Write the version ``image`` (uint8 RGB) of ``picture``.

        Raises:
            OSError: if it cannot be written.
        """
        image = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        if picture.frame is not None:
            self._video(picture, image).write(image, picture.seconds)
        else:
            _write_image(self.folder / picture.file_name, image)

    def write_crops(
        self, picture: Picture, boxes: np.ndarray, names: list[str] | None = None
    ) -> None:
        """Write what is inside each box (N, 4) of ``picture`` as a picture of its own.

        They lie in ``crops/FILE/``: ``1.jpg`` for the first person of a picture,
        ``000012_1.jpg`` for that of frame 12.

        Args:
            picture: the `Picture`.
            boxes: (N, 4) left, top, width, height in pixels.
            names: of the people; their numbers from 1 by default.

        Raises:
            OSError: if one cannot be written.
        """
        folder = self.folder / CROPS / picture.file_name
        frame = "" if picture.frame is None else f"{picture.frame:06}_"
        height, width = picture.image.shape[:2]
        names = names or [str(n) for n in range(1, len(boxes) + 1)]
        for box, name in zip(np.asarray(boxes), names, strict=True):
            left, top = np.maximum(np.floor(box[:2]), 0).astype(int)
            right, bottom = np.ceil(box[:2] + box[2:]).astype(int)
            crop = picture.image[top : min(bottom, height), left : min(right, width)]
            if crop.size:
                path = folder / f"{frame}{name}.jpg"
                _write_image(path, cv2.cvtColor(crop, cv2.COLOR_RGB2BGR))

    def close(self) -> None:
        """Finish the videos.

        Raises:
            OSError: naming those that could not be written whole.
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
            self._videos[name] = VideoFile(path, picture.fps, image.shape[1::-1])
        return self._videos[name]


def _write_image(path, image):
    """Write an image (BGR) in the format of its name, atomically."""
    encoded, content = cv2.imencode(path.suffix.lower(), image)
    if not encoded:
        raise OSError(f"cannot write {path}")
    with atomic_path(path) as temporary:
        temporary.write_bytes(content.tobytes())
