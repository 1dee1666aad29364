"""The entries of an annotation or detection file on their way into arrays."""

from array import array
from collections import Counter
from dataclasses import dataclass

import numpy as np

OTHER_CATEGORY = "of another category"
UNKNOWN_IMAGE = "of an unknown image"
BELOW_THRESHOLD = "below the score threshold"
CROWD = "crowd"
WITHOUT_KEYPOINTS = "without keypoints"
BAD_BOX = "with a box outside the image or without area"


@dataclass(frozen=True)
class ImageTable:
    """The M pictures of a data set: ids (M,), sizes (M, 2) (height, width), files."""

    ids: np.ndarray
    sizes: np.ndarray
    files: list[str]

    def positions(self, image_ids):
        """Return where each id stands in the table; -1 for an unknown one."""
        if not len(self.ids):
            return np.full(len(image_ids), -1)
        order = np.argsort(self.ids, kind="stable")
        found = np.searchsorted(self.ids, image_ids, sorter=order)
        found = order[np.minimum(found, len(order) - 1)]
        return np.where(self.ids[found] == image_ids, found, -1)


class AnnotationRows:
    """Collects the numbers that matter, entry by entry, in compact columns.

    Attributes:
        skipped: Counter of the entries that were left out, by reason.
    """

    def __init__(self):
        """Start without rows."""
        self.skipped = Counter()
        self._image_ids = array("q")
        self._annotation_ids = array("q")
        self._categories = array("q")
        self._boxes = array("d")
        self._areas = array("d")
        self._scores = array("f")
        self._keypoints = array("f")
        self._lengths = array("i")
        self._confidences = {}  # by row, of the few data sets that have them
        self._unlabelled = {}  # (category, numbers) of what is left out: an example

    def add_annotation(self, entry, require_keypoints):
        """Keep a COCO annotation, or count why not."""
        keypoints = entry.get("keypoints") or ()
        if entry.get("iscrowd"):
            self.skipped[CROWD] += 1
        elif require_keypoints and not any(keypoints[2::3]):
            self.skipped[WITHOUT_KEYPOINTS] += 1
            kind = entry["category_id"], len(keypoints)
            self._unlabelled.setdefault(kind, entry["id"])
        else:
            confidences = entry.get("keypoint_scores")
            if confidences is not None:
                self._confidences[len(self._lengths)] = array("f", confidences)
            self._append(entry, entry["id"], 1.0, keypoints)

    def add_detection(self, entry, score_threshold):
        """Keep an entry of a COCO detection file, or count why not."""
        if entry["score"] < score_threshold:
            self.skipped[BELOW_THRESHOLD] += 1
        else:
            self._append(entry, -1, entry["score"], ())

    def _append(self, entry, annotation_id, score, keypoints):
        box = entry.get("bbox") or (0, 0, 0, 0)  # no box: no area, left out later
        if len(box) != 4:
            raise TypeError("a bbox that is not 4 numbers")
        x, y, width, height = box
        self._boxes.extend((x, y, width, height))
        area = entry.get("area")
        self._areas.append(width * height if area is None else area)
        self._image_ids.append(entry["image_id"])
        self._annotation_ids.append(annotation_id)
        self._categories.append(entry["category_id"])
        self._scores.append(score)
        self._keypoints.extend(keypoints)
        self._lengths.append(len(keypoints))

    def annotations(self, images, num_keypoints, category_id, path):
        """Return the columns of a PeopleIndex, people of one picture together.

        Boxes are clipped to [0, width - 1] x [0, height - 1].

        Raises:
            ValueError: if an annotation's keypoints do not fit or its image is unknown.
        """
        rows = self._of_category(category_id)
        lengths = np.frombuffer(self._lengths, np.int32)[rows]
        image_ids = np.frombuffer(self._image_ids, np.int64)[rows]

        def refuse(bad, problem):
            if bad.any():
                n = rows[bad.argmax()]
                raise ValueError(
                    f"annotation {self._annotation_ids[n]} of {path} {problem}. "
                    f"Received: {self._lengths[n]} numbers, "
                    f"image {self._image_ids[n]}"
                )

        fits = f"must have 3 numbers for each of {num_keypoints} keypoints"
        refuse((lengths != 3 * num_keypoints) & (lengths != 0), fits)
        for (category, length), example in self._unlabelled.items():
            if category == category_id and length not in (0, 3 * num_keypoints):
                raise ValueError(
                    f"annotation {example} of {path} {fits}. Received: {length} numbers"
                )
        image_index = images.positions(image_ids)
        refuse(image_index < 0, "is of an image that the file does not list")
        wrong = np.zeros(len(self._lengths), bool)
        for row, values in self._confidences.items():
            wrong[row] = len(values) != num_keypoints or not all(
                0 <= value <= 1 for value in values
            )
        refuse(
            wrong[rows], f"must have {num_keypoints} keypoint_scores between 0 and 1"
        )
        keypoints = self._triples(rows, lengths, num_keypoints)
        refuse(~np.isfinite(keypoints).all(axis=(1, 2)), "has a keypoint that is NaN")
        boxes, areas = self._boxes_and_areas(rows)
        sizes = images.sizes[image_index][:, ::-1]
        corner = np.maximum(boxes[:, :2], 0)
        # As the published code: a box that starts outside keeps its width and height.
        end = np.minimum(sizes - 1, corner + np.maximum(boxes[:, 2:], 0))
        boxes = np.concatenate([corner, end - corner], axis=1)
        good = (boxes[:, 2:] > 0).all(axis=1) & (areas > 0)
        return self._columns(rows, good, image_index, boxes, areas, keypoints)

    def detections(self, images, num_keypoints, category_id):
        """Return the columns of a PeopleIndex of detections, boxes as they are."""
        rows = self._of_category(category_id)
        image_index = images.positions(np.frombuffer(self._image_ids, np.int64)[rows])
        known = image_index >= 0
        self._count(UNKNOWN_IMAGE, ~known)
        rows, image_index = rows[known], image_index[known]
        boxes, areas = self._boxes_and_areas(rows)
        sizes = images.sizes[image_index][:, ::-1]
        good = np.all(
            (boxes[:, 2:] > 0)
            & (boxes[:, :2] < sizes)
            & (boxes[:, :2] + boxes[:, 2:] > 0),
            axis=1,
        )
        keypoints = np.zeros((len(rows), num_keypoints, 3), np.float32)
        return self._columns(rows, good, image_index, boxes, areas, keypoints)

    def _of_category(self, category_id):
        """Return the positions of the rows of a category; count the others."""
        same = np.frombuffer(self._categories, np.int64) == category_id
        self._count(OTHER_CATEGORY, ~same)
        return np.flatnonzero(same)

    def _count(self, reason, out):
        if out.any():
            self.skipped[reason] += int(np.count_nonzero(out))

    def _triples(self, rows, lengths, num_keypoints):
        """Return (n, K, 3) x, y, visibility; zeros for a person without keypoints."""
        starts = np.cumsum(np.frombuffer(self._lengths, np.int32), dtype=np.int64)
        starts = starts[rows] - lengths
        triples = np.zeros((len(rows), 3 * num_keypoints), np.float32)
        has = np.flatnonzero(lengths)
        flat = np.frombuffer(self._keypoints, np.float32)
        for column in range(3 * num_keypoints):
            triples[has, column] = flat[starts[has] + column]
        return triples.reshape(len(rows), num_keypoints, 3)

    def _label_confidences(self, rows, num_keypoints):
        """Return (n, K) what each label is worth; 1 where the file does not say."""
        confidences = np.ones((len(rows), num_keypoints), np.float32)
        if self._confidences:
            for n, row in enumerate(rows):
                confidences[n] = self._confidences.get(row, 1.0)
        return confidences

    def _boxes_and_areas(self, rows):
        boxes = np.frombuffer(self._boxes, np.float64).reshape(-1, 4)[rows]
        return boxes, np.frombuffer(self._areas, np.float64)[rows]

    def _columns(self, rows, good, image_index, boxes, areas, keypoints):
        """Drop the rows that are not good and put people of one picture together."""
        self._count(BAD_BOX, ~good)
        kept = np.flatnonzero(good)
        kept = kept[np.argsort(image_index[kept], kind="stable")]
        rows = rows[kept]
        return {
            "image_index": image_index[kept].astype(np.int32),
            "boxes_xywh": boxes[kept],
            "areas": areas[kept],
            "keypoints": keypoints[kept, :, :2],
            "visibility": keypoints[kept, :, 2].clip(0, 2).astype(np.uint8),
            "confidences": self._label_confidences(rows, keypoints.shape[1]),
            "annotation_ids": np.frombuffer(self._annotation_ids, np.int64)[rows],
            "scores": np.frombuffer(self._scores, np.float32)[rows],
        }
