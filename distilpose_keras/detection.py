"""Person boxes for pictures: from a file, from OpenCV's detector, or all of it."""

import json
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np

# Searched at this size at most: the search takes half a second at 640x480.
MAX_SIDE = 640
# The smallest upright person that the detector's 64x128 window finds.
MIN_HEIGHT, MIN_WIDTH = 160, 96
STRIDE, PADDING, PYRAMID_STEP = (4, 4), (32, 32), 1.05
SCORE_THRESHOLD = 0.3  # of the SVM's margin
OVERLAP_THRESHOLD = 0.4
# The window of the INRIA training set leaves room around the person.
MARGIN_X, MARGIN_Y = 0.2, 0.1


class PersonFinder:
    """OpenCV's histogram-of-gradients person detector (Dalal and Triggs, 2005).

    It needs no download and finds people who stand upright and whole. Of people who
    sit, are cut off or are seen from close by it misses most: give real detections
    where they matter.
    """

    def __init__(self):
        """Build the detector.

        Raises:
            ValueError: if the installed OpenCV has no detector (OpenCV 5).
        """
        if not hasattr(cv2, "HOGDescriptor"):
            raise ValueError(
                f"OpenCV {cv2.__version__} has no built-in person detector: "
                "install opencv-contrib-python-headless, or give the person boxes"
            )
        self._detector = cv2.HOGDescriptor()
        self._detector.setSVMDetector(cv2.HOGDescriptor_getDefaultPeopleDetector())

    def find(self, image):
        """Find the people in an image.

        Args:
            image: (height, width, 3) uint8 RGB.

        Returns:
            boxes (N, 4) float64 (left, top, width, height) in pixels, inside the
            image, and scores (N,) in [0, 1], best first.
        """
        zoom = _zoom(image.shape[:2])
        gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        if zoom != 1:
            method = cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR
            gray = cv2.resize(gray, None, fx=zoom, fy=zoom, interpolation=method)
        windows, margins = self._detector.detectMultiScale(
            gray, winStride=STRIDE, padding=PADDING, scale=PYRAMID_STEP
        )
        boxes = np.asarray(windows, np.float64).reshape(-1, 4) / zoom
        scores = np.asarray(margins, np.float64).reshape(-1)
        boxes = _clip(_without_margin(boxes), image.shape[:2])
        sound = (boxes[:, 2:] > 1).all(axis=1)
        boxes, scores = boxes[sound], scores[sound]
        kept = cv2.dnn.NMSBoxes(boxes, scores, SCORE_THRESHOLD, OVERLAP_THRESHOLD)
        kept = np.array(kept, np.int64)  # of nothing, an empty tuple
        return boxes[kept], np.minimum(scores[kept], 1.0)


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


def _zoom(size):
    """The factor that brings an image to a size the detector works at."""
    height, width = size
    zoom = min(1.0, MAX_SIDE / max(height, width))
    return max(zoom, MIN_HEIGHT / height, MIN_WIDTH / width)


def _without_margin(boxes):
    """The person inside the detector's window."""
    left, top, width, height = boxes.T
    return np.stack(
        [
            left + width * MARGIN_X / 2,
            top + height * MARGIN_Y / 2,
            width * (1 - MARGIN_X),
            height * (1 - MARGIN_Y),
        ],
        axis=1,
    )


def _clip(boxes, size):
    """Boxes cut at the image's border."""
    height, width = size
    low = np.clip(boxes[:, :2], 0, [width, height])
    high = np.clip(boxes[:, :2] + boxes[:, 2:], 0, [width, height])
    return np.concatenate([low, high - low], axis=1)
