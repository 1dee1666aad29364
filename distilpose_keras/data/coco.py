"""COCO-format keypoint annotations and person detections, read into arrays."""

import json
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from distilpose_keras.data.annotation_rows import AnnotationRows, ImageTable
from distilpose_keras.data.json_stream import read_members
from distilpose_keras.keypoints import KeypointSchema


@dataclass(frozen=True)
class PersonInstance:
    """One person of a picture.

    Attributes:
        image_path: the picture's file.
        image_id: its COCO id.
        annotation_id: COCO id of the annotation; -1 for a detection.
        box_xywh: (4,) float64 (left, top, width, height) in pixels.
        keypoints: (K, 2) float32 pixels.
        visibility: (K,) uint8: 0 not labelled, 1 hidden, 2 visible.
        area: of the person's silhouette in square pixels (of the box if unknown).
        score: of the detection; 1.0 for an annotation.
    """

    image_path: Path
    image_id: int
    annotation_id: int
    box_xywh: np.ndarray
    keypoints: np.ndarray
    visibility: np.ndarray
    area: float
    score: float


@dataclass(frozen=True, eq=False)
class PeopleIndex(Sequence):
    """All N people of a data set as arrays; an element is a `PersonInstance`.

    People of one picture are neighbours.

    Attributes:
        schema: KeypointSchema of the K keypoints.
        annotation_file: the annotation file that was read.
        image_dir: folder of the pictures.
        category_id: COCO id of the person category.
        image_files: names of the M pictures, relative to ``image_dir``.
        image_ids: (M,) int64 COCO ids.
        image_sizes: (M, 2) int32 (height, width).
        image_index: (N,) int32 position of each person's picture in ``image_files``.
        boxes_xywh: (N, 4) float64 pixels.
        keypoints: (N, K, 2) float32 pixels.
        visibility: (N, K) uint8: 0 not labelled, 1 hidden, 2 visible.
        confidences: (N, K) float32 in [0, 1], what each label is worth: its
            ``keypoint_scores`` entry where a model wrote the label, else 1.
        areas: (N,) float64 square pixels.
        annotation_ids: (N,) int64; -1 for detections.
        scores: (N,) float32; 1 for annotations.
        skipped: how many entries of the file were left out, by reason.
    """

    schema: KeypointSchema
    annotation_file: Path
    image_dir: Path
    category_id: int
    image_files: list[str]
    image_ids: np.ndarray
    image_sizes: np.ndarray
    image_index: np.ndarray
    boxes_xywh: np.ndarray
    keypoints: np.ndarray
    visibility: np.ndarray
    confidences: np.ndarray
    areas: np.ndarray
    annotation_ids: np.ndarray
    scores: np.ndarray
    skipped: dict[str, int] = field(default_factory=dict)

    def __len__(self):
        """N, the number of people."""
        return len(self.image_index)

    def __getitem__(self, index):
        """Return one `PersonInstance`, or a PeopleIndex for a slice."""
        if isinstance(index, slice):
            return self.take(np.arange(len(self))[index])
        image = self.image_index[index]
        return PersonInstance(
            image_path=self.image_path(image),
            image_id=int(self.image_ids[image]),
            annotation_id=int(self.annotation_ids[index]),
            box_xywh=self.boxes_xywh[index],
            keypoints=self.keypoints[index],
            visibility=self.visibility[index],
            area=float(self.areas[index]),
            score=float(self.scores[index]),
        )

    def image_path(self, image):
        """Return the file of the picture at a position in ``image_files``."""
        return self.image_dir / self.image_files[image]

    def take(self, indices):
        """Return the people at these positions, in this order."""
        indices = np.asarray(indices, np.int64)
        columns = (
            "image_index",
            "boxes_xywh",
            "keypoints",
            "visibility",
            "confidences",
            "areas",
            "annotation_ids",
            "scores",
        )
        return replace(self, **{name: getattr(self, name)[indices] for name in columns})

    def limit(self, count):
        """Return the first ``count`` people; all of them for None."""
        return self if count is None else self.take(np.arange(min(count, len(self))))

    def summary(self):
        """Say in one line what is here and what was left out."""
        pictures = len(np.unique(self.image_index))
        text = f"{len(self)} people in {pictures} images"
        if self.skipped:
            reasons = [f"{count} {reason}" for reason, count in self.skipped.items()]
            text += f" (skipped: {', '.join(reasons)})"
        return text


def coco_paths(data_dir, split):
    """Return the annotation file and image folder of a COCO-layout data set.

    Args:
        data_dir: holds ``annotations/person_keypoints_{split}2017.json`` and
            ``{split}2017/``.
        split: "train" or "val".

    Raises:
        ValueError: if the data set, its annotation file or its pictures are missing.
    """
    data_dir = Path(data_dir)
    if not data_dir.is_dir():
        raise ValueError(f"data folder does not exist: {data_dir}")
    annotation_file = data_dir / "annotations" / f"person_keypoints_{split}2017.json"
    image_dir = data_dir / f"{split}2017"
    _check_exists(annotation_file, image_dir)
    return annotation_file, image_dir


def _check_exists(annotation_file, image_dir):
    if not annotation_file.is_file():
        raise ValueError(f"annotation file does not exist: {annotation_file}")
    if not image_dir.is_dir():
        raise ValueError(f"image folder does not exist: {image_dir}")


def load_people(annotation_file, image_dir, *, schema=None, require_keypoints=True):
    """Read a COCO keypoint annotation file.

    Boxes are clipped to [0, width - 1] x [0, height - 1], as the published code does.
    Crowds, people whose box shows nothing of the picture and (unless
    ``require_keypoints`` is False) people without a labelled keypoint are left out and
    counted in ``skipped``.

    Args:
        annotation_file: COCO JSON.
        image_dir: folder of its pictures.
        schema: KeypointSchema that the file must fit; read from the file by default.
        require_keypoints: leave out people without labelled keypoints.

    Returns:
        PeopleIndex, ordered by picture as the file lists them.

    Raises:
        ValueError: naming the file, if it or the folder is missing, if it is not a COCO
            keypoint file, or if an annotation does not fit the schema.
    """
    annotation_file, image_dir = Path(annotation_file), Path(image_dir)
    _check_exists(annotation_file, image_dir)
    images, categories, rows = _read_coco(annotation_file, require_keypoints)
    category = _keypoint_category(categories, schema, annotation_file)
    if schema is None:
        schema = KeypointSchema.from_coco_category(category)
    columns = rows.annotations(
        images, schema.num_keypoints, category["id"], annotation_file
    )
    return PeopleIndex(
        schema=schema,
        annotation_file=annotation_file,
        image_dir=image_dir,
        category_id=category["id"],
        image_files=images.files,
        image_ids=images.ids,
        image_sizes=images.sizes,
        skipped=dict(rows.skipped),
        **columns,
    )


def _read_coco(path, require_keypoints):
    """Return the ImageTable, the categories and the AnnotationRows of a file."""
    ids, sizes, files, rows, categories = (
        array("q"),
        array("i"),
        [],
        AnnotationRows(),
        [],
    )
    missing = {"images", "annotations", "categories"}
    name = entry = None
    try:
        for name, entries in read_members(path, {"images", "annotations"}):
            missing.discard(name)
            if name == "images":
                for entry in entries:
                    ids.append(entry["id"])
                    sizes.extend((entry["height"], entry["width"]))
                    files.append(entry["file_name"])
            elif name == "annotations":
                for entry in entries:
                    rows.add_annotation(entry, require_keypoints)
            elif name == "categories":
                categories = [dict(entry, id=int(entry["id"])) for entry in entries]
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        problem = f"lacks {error}" if isinstance(error, KeyError) else f"has {error}"
        raise ValueError(
            f"{path} is not a COCO file: an entry of {name!r} {problem}. "
            f"Received: {str(entry)[:80]}"
        ) from None
    if missing:
        raise ValueError(f"{path} is not a COCO file: it has no {sorted(missing)}")
    sizes = np.array(sizes, np.int32).reshape(-1, 2)
    return ImageTable(np.array(ids, np.int64), sizes, files), categories, rows


def _keypoint_category(categories, schema, path):
    """Return the category whose keypoints are meant."""
    named = [category for category in categories if category.get("keypoints")]
    if not named:
        raise ValueError(f"{path} is not a keypoint file: no category names keypoints")
    if schema is not None:
        exact = [c for c in named if tuple(c["keypoints"]) == schema.names]
        same = [c for c in named if len(c["keypoints"]) == schema.num_keypoints]
        if not same:
            raise ValueError(
                f"{path} must hold people with {schema.num_keypoints} keypoints. "
                f"Received: {[len(c['keypoints']) for c in named]}"
            )
        named = exact or same
    if len(named) > 1:
        raise ValueError(
            f"{path} has more than one keypoint category; give the schema of one. "
            f"Received: {[category.get('name') for category in named]}"
        )
    return named[0]


def load_detections(detection_file, people, *, score_threshold=0.0):
    """Read a detector's person boxes for the pictures of a data set.

    Boxes are used as the detector gives them, not clipped. Detections of another
    category, below the threshold, of pictures that ``people`` does not know, or whose
    box shows nothing of the picture are left out and counted in ``skipped``.

    Args:
        detection_file: JSON list of ``image_id, category_id, bbox, score``.
        people: PeopleIndex of the data set.
        score_threshold: lowest score to keep.

    Returns:
        PeopleIndex with the detections' boxes and scores, visibility 0 everywhere.

    Raises:
        ValueError: naming the file, if it is missing or not such a list.
    """
    path = Path(detection_file)
    if not path.is_file():
        raise ValueError(f"detection file does not exist: {path}")
    rows, entry = AnnotationRows(), None
    try:
        for entry in json.loads(path.read_text(encoding="utf-8")):
            rows.add_detection(entry, score_threshold)
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not valid JSON: {error.msg}") from None
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ValueError(
            f"{path} must be a list of image_id, category_id, bbox and score "
            f"({type(error).__name__}: {error}). Received: {str(entry)[:80]}"
        ) from None
    images = ImageTable(people.image_ids, people.image_sizes, people.image_files)
    columns = rows.detections(images, people.schema.num_keypoints, people.category_id)
    return replace(people, skipped=dict(rows.skipped), **columns)
