"""Person boxes for pictures: found, from a file, of another detector, or all of it."""

import json
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import ArrayLike

from distilpose_keras.data.cutouts import GREY
from distilpose_keras.types import FilePath

if TYPE_CHECKING:
    from distilpose_keras.models.finder import FinderModel

PRESET = Path(__file__).parent / "presets" / "person_finder.onnx"
LARGEST_ZOOM = 4.0  # of a small picture
SAME_PERSON = 0.45  # intersection over union of two boxes
MOST_PEOPLE = 1000  # in a picture


class PersonFinder:
    """Finds people in pictures with a small network; its card says how well.

    Example:
        >>> boxes, scores = PersonFinder().find(image)
        >>> found = PosePredictor("student.onnx").predict(image, boxes)

    Attributes:
        threshold: lowest score of a person.
    """

    def __init__(
        self,
        model: "FinderModel | FilePath | None" = None,
        *,
        threshold: float | None = None,
        num_threads: int | None = None,
    ) -> None:
        """Open a finder.

        Args:
            model: a `FinderModel`, or a ``.keras``, ``.tflite`` or ``.onnx`` file of
                one. By default the file that comes with this package, which needs
                nothing else installed: ONNX Runtime runs it where there is one, else
                OpenCV.
            threshold: lowest score of a person; by default the file's own.
            num_threads: of the runtime; all cores by default.

        Raises:
            ValueError: one line, if the file is missing, damaged or of another kind,
                or the threshold is not within [0, 1].
        """
        from distilpose_keras.formats.finders import open_finder

        runtime = open_finder(
            PRESET if model is None else model, num_threads=num_threads
        )
        if threshold is None:
            threshold = runtime.metadata["threshold"]
        if not 0 <= threshold <= 1:
            raise ValueError(f"threshold must be in [0, 1]. Received: {threshold}")
        self.threshold = float(threshold)
        self._runtime = runtime

    def find(self, image: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """Find the people in an image.

        Args:
            image: (height, width, 3) uint8 RGB.

        Returns:
            boxes (N, 4) float64 (left, top, width, height) in pixels, inside the
            image, and scores (N,) in [0, 1], best first.

        Raises:
            ValueError: if the image has another shape or type.
        """
        image = np.asarray(image)
        if image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
            raise ValueError(
                f"image must be (height, width, 3). Received: {image.shape}"
            )
        if image.dtype != np.uint8:
            raise ValueError(f"image must be uint8 RGB. Received: {image.dtype}")
        shown, extent = letterbox(image, self._runtime.input_size)
        found = self._runtime.run(shown[None])
        return select(
            found["boxes"][0] * np.tile(shown.shape[1::-1], 2) / np.tile(extent, 2),
            found["scores"][0],
            image.shape[:2],
            self.threshold,
        )


def letterbox(
    image: np.ndarray, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Show a whole image in the upper left of a grey picture of another size.

    Args:
        image: (H, W, 3) uint8.
        size: (height, width) of the result.

    Returns:
        (height, width, 3) uint8, and the (2,) width and height that the image has
        there.
    """
    room, own = np.array(size[::-1]), np.array(image.shape[1::-1])
    zoom = min((room / own).min(), LARGEST_ZOOM)
    extent = np.clip(np.rint(own * zoom).astype(int), 1, room)
    method = cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR
    shown = np.full((*size, 3), GREY, np.uint8)
    shown[: extent[1], : extent[0]] = cv2.resize(
        image, extent.tolist(), interpolation=method
    )
    return shown, extent


def select(
    corners: np.ndarray, scores: np.ndarray, size: tuple[int, int], threshold: float
) -> tuple[np.ndarray, np.ndarray]:
    """Keep the sure ones of a finder's boxes, and of several for one person the best.

    Args:
        corners: (N, 4) left, top, right, bottom as fractions of the image.
        scores: (N,).
        size: (height, width) of the image.
        threshold: lowest score.

    Returns:
        boxes (M, 4) float64 (left, top, width, height) in pixels, cut at the image's
        border, and scores (M,) float64, best first.
    """
    sure = scores >= threshold
    corners, scores = corners[sure].astype(np.float64), scores[sure].astype(np.float64)
    wh = np.array(size[::-1], np.float64)
    low, high = (np.clip(c * wh, 0, wh) for c in (corners[:, :2], corners[:, 2:]))
    boxes = np.concatenate([low, high - low], axis=1)
    sound = np.isfinite(boxes).all(axis=1) & (boxes[:, 2:] > 0).all(axis=1)
    boxes, scores = boxes[sound], scores[sound]
    kept = cv2.dnn.NMSBoxes(boxes, scores, 0.0, SAME_PERSON)
    kept = np.array(kept, np.int64)[:MOST_PEOPLE]  # of nothing, an empty tuple
    return boxes[kept], scores[kept]


def boxes_of(detections: Any) -> tuple[np.ndarray, np.ndarray]:
    """Boxes and scores of another detector, such as a ``supervision.Detections``.

    Example:
        >>> boxes, scores = boxes_of(detections[detections.class_id == 0])
        >>> found = predictor.predict(image, boxes)

    Args:
        detections: has ``xyxy`` (N, 4), corners in pixels, and ``confidence`` (N,) or
            None. All count as people.

    Returns:
        boxes (N, 4) float64 (left, top, width, height) in pixels, and scores (N,)
        float64, 1 where there is no confidence.

    Raises:
        ValueError: if there are no such arrays.
    """
    corners = np.asarray(getattr(detections, "xyxy", None), np.float64)
    if corners.ndim != 2 or corners.shape[1] != 4:
        raise ValueError(
            "detections must have xyxy (N, 4). "
            f"Received: {type(detections).__name__} with {corners.shape}"
        )
    scores = getattr(detections, "confidence", None)
    scores = np.ones(len(corners)) if scores is None else np.asarray(scores, np.float64)
    if scores.shape != (len(corners),):
        raise ValueError(
            f"confidence must be ({len(corners)},). Received: {scores.shape}"
        )
    boxes = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
    return boxes, scores


class BoxFile:
    """Person boxes of a COCO detection file, by picture.

    The file is a JSON list of ``bbox`` (left, top, width, height), ``score`` (1 if
    absent) and ``image_id`` or ``file_name``.
    """

    def __init__(self, path):
        """Read ``path``.

        Raises:
            ValueError: naming the file, if it is missing or not such a list.
        """
        self._path = Path(path)
        self._boxes = defaultdict(list)
        if not self._path.is_file():
            raise ValueError(f"detection file not found: {path}")
        entry = None
        try:
            for entry in json.loads(self._path.read_text(encoding="utf-8-sig")):
                key = entry["file_name"] if "file_name" in entry else entry["image_id"]
                left, top, width, height = map(float, entry["bbox"])
                row = (left, top, width, height, float(entry.get("score", 1.0)))
                self._boxes[key].append(row)
        # A number may be too large for a float, and a list too deep for the parser.
        except (
            KeyError,
            TypeError,
            ValueError,
            OverflowError,
            RecursionError,
        ) as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise ValueError(
                f"{path} must be a JSON list of bbox with image_id or file_name "
                f"({reason[:120]}). Received: {' '.join(str(entry).split())[:80]}"
            ) from None

    def find(self, picture):
        """Return boxes (N, 4) and scores (N,) of a `Picture`.

        Boxes without area or wholly outside the image are left out.
        """
        rows = self._boxes.get(picture.file_name, [])
        rows = rows + self._boxes.get(picture.image_id, [])
        table = np.array(rows, np.float64).reshape(-1, 5)
        height, width = picture.image.shape[:2]
        boxes = table[:, :4]
        sound = np.isfinite(table).all(axis=1) & (boxes[:, 2:] > 0).all(axis=1)
        sound &= (boxes[:, :2] < (width, height)).all(axis=1)
        sound &= (boxes[:, :2] + boxes[:, 2:] > 0).all(axis=1)
        return boxes[sound], table[sound, 4]


def whole_image(image):
    """The image as one person box: (1, 4) and its score (1,)."""
    height, width = image.shape[:2]
    return np.array([[0.0, 0.0, width, height]]), np.ones(1)
