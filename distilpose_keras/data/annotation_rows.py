"""The entries of an annotation or detection file on their way into arrays."""

from array import array
from collections import Counter

import numpy as np

from distilpose_keras.data.annotation_fields import (
    NO_ID,
    FieldError,
    read_box,
    read_flag,
    read_id,
    read_keypoints,
    read_number,
    read_picture_id,
)

BELOW_THRESHOLD = "below the score threshold"


class AnnotationRows:
    """Collects the numbers that matter, entry by entry, in compact columns.

    Nothing is judged here: see `fill_persons`, which fills what is absent.

    Attributes:
        count: entries that came, those left out included.
        skipped: Counter of the entries that were left out, by reason.
        examples: (category, numbers) of people without a labelled keypoint, whose
            keypoints are not kept, to the number of one such entry.
    """

    def __init__(self):
        """Start without rows."""
        self.count = 0
        self.skipped = Counter()
        self.examples = {}
        self._entries = array("q")
        self._ids = array("q")
        self._categories = array("q")
        self._image_ids = array("q")
        self._names = {}  # row -> text, where a picture's id is not a number
        self._boxes = array("d")
        self._areas = array("d")
        self._scores = array("f")
        self._crowds = array("b")
        self._keypoints = array("d")
        self._lengths = array("i")
        self._worth = {}  # row -> numbers, of the few files with keypoint_scores

    def add_annotation(self, entry):
        """Read a COCO annotation.

        Raises:
            FieldError: if a field cannot be followed.
            KeyError: if one that has no substitute is missing.
        """
        keypoints = entry.get("keypoints") or ()
        start = len(self._keypoints)
        labelled, length = False, len(keypoints) if type(keypoints) is list else 0
        # Without a label they say nothing and are not kept: half of COCO's people.
        if not length or any(keypoints[2::3]):
            labelled, length = self._extend(keypoints)
        if not labelled:
            kind = read_id(entry, "category_id"), length
            self.examples.setdefault(kind, self.count)
            del self._keypoints[start:]
            length = 0
        worth = entry.get("keypoint_scores")
        if worth is not None and labelled:
            self._worth[len(self._lengths)] = array("f", worth)
        self._append(entry, length)
        self._scores.append(1.0)
        number, crowd = entry.get("id"), entry.get("iscrowd")
        if type(number) is not int:
            number = _annotation_id(entry, self.count)
        self._ids.append(number)
        self._crowds.append(read_flag(crowd) if crowd else 0)
        self.count += 1

    def add_detection(self, entry, score_threshold):
        """Read an entry of a COCO detection file, or count it as below the threshold.

        Raises:
            FieldError: if a field cannot be followed.
            KeyError: if one that has no substitute is missing.
        """
        score = read_number(entry["score"], "score")
        if not score >= score_threshold:
            self.skipped[BELOW_THRESHOLD] += 1
        else:
            self._append(entry, 0)
            self._scores.append(score)
            self._ids.append(-1)
            self._crowds.append(0)
        self.count += 1

    def _extend(self, keypoints):
        """Add an entry's keypoints; whether one is labelled, and how many numbers."""
        start = len(self._keypoints)
        # As most programs write them, or else with what is absent filled in.
        try:
            self._keypoints.extend(keypoints)
        except TypeError:
            del self._keypoints[start:]
            self._keypoints.extend(read_keypoints(keypoints))
        return any(self._keypoints[start + 2 :: 3]), len(self._keypoints) - start

    def _append(self, entry, length):
        """Add what annotations and detections have alike."""
        picture = entry.get("image_id")
        self._image_ids.append(
            picture if type(picture) is int else self._picture(entry)
        )
        category = entry.get("category_id")
        if type(category) is not int:
            category = read_id(entry, "category_id")
        self._categories.append(category)
        start, box = len(self._boxes), entry.get("bbox")
        try:
            x, y, width, height = box
            self._boxes.extend((x, y, width, height))
        except (TypeError, ValueError):
            del self._boxes[start:]
            self._boxes.extend(read_box(box))
        area = entry.get("area")
        self._areas.append(
            area if type(area) in (float, int) else read_number(area, "area")
        )
        self._entries.append(self.count)
        self._lengths.append(length)

    def _picture(self, entry):
        """The id of an entry's picture; NO_ID, and its name noted, if it is a text."""
        picture = entry.get("image_id")
        if picture is None:
            if not entry.get("file_name"):
                raise KeyError("image_id")
            picture = str(entry["file_name"])
        picture = read_picture_id(picture)
        if isinstance(picture, str):
            self._names[len(self._image_ids)] = picture
            picture = NO_ID
        return picture

    @property
    def entries(self):
        """(n,) int64 number of each row's entry in the file."""
        return np.frombuffer(self._entries, np.int64)

    @property
    def ids(self):
        """(n,) int64 ids of the annotations; -1 for detections."""
        return np.frombuffer(self._ids, np.int64)

    @property
    def categories(self):
        """(n,) int64 ids of the categories; NO_ID where absent."""
        return np.frombuffer(self._categories, np.int64)

    @property
    def boxes(self):
        """(n, 4) float64 x, y, width, height; NaN where absent."""
        return np.frombuffer(self._boxes, np.float64).reshape(-1, 4)

    @property
    def areas(self):
        """(n,) float64; NaN where absent."""
        return np.frombuffer(self._areas, np.float64)

    @property
    def scores(self):
        """(n,) float32; 1 for annotations."""
        return np.frombuffer(self._scores, np.float32)

    @property
    def crowds(self):
        """(n,) bool."""
        return np.frombuffer(self._crowds, np.int8).astype(bool)

    @property
    def lengths(self):
        """(n,) int32 how many numbers each row's keypoints have; 0 if unlabelled."""
        return np.frombuffer(self._lengths, np.int32)

    def picture(self, row):
        """Return the id of a row's picture as the file writes it."""
        return self._names.get(int(row), self._image_ids[row])

    def positions(self, images):
        """Return where each row's picture stands in an `ImageTable`; -1 if unknown."""
        numbers = np.frombuffer(self._image_ids, np.int64)
        if images.labels is None:
            places, names = images.positions(numbers), self._names
        else:  # the file's ids are no numbers
            places = np.full(len(numbers), -1)
            names = dict(enumerate(map(str, self._image_ids))) | self._names
        known = {}
        for row, name in names.items():
            if name not in known:
                known[name] = images.find(name)
            places[row] = known[name]
        return places

    def keypoints(self, rows, columns):
        """Return keypoints and flags of some rows as the file has them.

        Args:
            rows: (n,) positions.
            columns: K positions of the keypoints in the file; -1 for one it lacks.

        Returns:
            (n, K, 2) and (n, K) float64; 0 where there is nothing labelled, and where
            a row has fewer keypoints than the columns ask for.
        """
        lengths = self.lengths
        starts = np.cumsum(lengths, dtype=np.int64)[rows] - lengths[rows]
        points = np.zeros((len(rows), len(columns), 2))
        flags = np.zeros(points.shape[:2])
        has = np.flatnonzero(lengths[rows] >= 3 * (max(columns, default=0) + 1))
        starts, flat = starts[has], np.frombuffer(self._keypoints)
        for k, column in enumerate(columns):
            if column >= 0:
                points[has, k, 0] = flat[starts + 3 * column]
                points[has, k, 1] = flat[starts + (3 * column + 1)]
                flags[has, k] = flat[starts + (3 * column + 2)]
        return points, flags

    def worth(self, rows, columns, length):
        """Return what the labels of some rows are worth (``keypoint_scores``).

        Args:
            rows: (n,) positions.
            columns: K positions of the keypoints in the file; -1 for one it lacks.
            length: how many keypoints an entry of the file has.

        Returns:
            (n, K) float32, 1 where the file does not say; and (n,) bool, whether what
            it says is not one number from 0 to 1 for each keypoint.
        """
        worth = np.ones((len(rows), len(columns)), np.float32)
        wrong = np.zeros(len(rows), bool)
        if not self._worth:
            return worth, wrong
        columns = np.asarray(columns)
        for n, row in enumerate(rows.tolist()):
            values = np.asarray(self._worth.get(row, [1.0] * length))
            wrong[n] = (
                len(values) != length or not ((values >= 0) & (values <= 1)).all()
            )
            if not wrong[n]:
                worth[n] = np.where(columns >= 0, values[columns], 1.0)
        return worth, wrong


def _annotation_id(entry, number):
    """The id of an annotation; its number in the file where that is none."""
    try:
        found = read_id(entry, "id")
    except FieldError:
        return number
    return number if found == NO_ID else found
