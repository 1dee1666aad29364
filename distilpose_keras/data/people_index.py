"""The people of a data set as arrays."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import ArrayLike

from distilpose_keras.data.images import read_image
from distilpose_keras.keypoints import KeypointSchema

_COLUMNS = (
    "image_index",
    "boxes_xywh",
    "keypoints",
    "visibility",
    "confidences",
    "areas",
    "annotation_ids",
    "scores",
    "entries",
)


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
class PeopleIndex(Sequence[PersonInstance]):
    """All N people of a data set as arrays; an element is a `PersonInstance`.

    People of one picture are neighbours.

    Attributes:
        schema: KeypointSchema of the K keypoints.
        annotation_file: the annotation file that was read.
        image_dir: folder of the pictures.
        category_ids: COCO ids of the categories that the people are of.
        image_files: names of the M pictures, relative to ``image_dir``.
        image_ids: (M,) int64 COCO ids; numbers from 1 where the file's are no numbers.
        image_labels: M ids as the file writes them where they are no numbers, or None.
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
        entries: (N,) int64 number of each person's entry in the file, from 0.
        skipped: how many entries of the file were left out, by reason.
        filled: how many people had a field filled in, by what.
        notes: what else of the file was not followed as it is written.
    """

    schema: KeypointSchema
    annotation_file: Path
    image_dir: Path
    category_ids: tuple[int, ...]
    image_files: list[str]
    image_ids: np.ndarray
    image_labels: list[str] | None
    image_sizes: np.ndarray
    image_index: np.ndarray
    boxes_xywh: np.ndarray
    keypoints: np.ndarray
    visibility: np.ndarray
    confidences: np.ndarray
    areas: np.ndarray
    annotation_ids: np.ndarray
    scores: np.ndarray
    entries: np.ndarray
    skipped: dict[str, int] = field(default_factory=dict)
    filled: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        """N, the number of people."""
        return len(self.image_index)

    @overload
    def __getitem__(self, index: int) -> PersonInstance: ...

    @overload
    def __getitem__(self, index: slice) -> "PeopleIndex": ...

    def __getitem__(self, index: int | slice) -> "PersonInstance | PeopleIndex":
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

    def image_path(self, image: int) -> Path:
        """Return the file of the picture at a position in ``image_files``."""
        return self.image_dir / self.image_files[image]

    def picture_names(self) -> list[str]:
        """Return what messages call each of the M pictures: its file."""
        return [str(self.image_path(n)) for n in range(len(self.image_files))]

    def read_picture(self, image: int) -> np.ndarray:
        """Read the picture at a position in ``image_files``, turned as it was labelled.

        Raises:
            ImageError: naming the file, if it cannot be read or is of another size.
        """
        return read_image(self.image_path(image), self.image_sizes[image])

    def take(self, indices: ArrayLike) -> "PeopleIndex":
        """Return the people at these positions, in this order."""
        indices = np.asarray(indices, np.int64)
        columns = {name: getattr(self, name)[indices] for name in _COLUMNS}
        return replace(self, **columns)

    def limit(self, count: int | None) -> "PeopleIndex":
        """Return the first ``count`` people; all of them for None."""
        return self if count is None else self.take(np.arange(min(count, len(self))))

    def summary(self) -> str:
        """Say in one line what is here and what was left out."""
        pictures = len(np.unique(self.image_index))
        text = f"{len(self)} people in {pictures} images"
        if self.skipped:
            reasons = [f"{count} {reason}" for reason, count in self.skipped.items()]
            text += f" (skipped: {', '.join(reasons)})"
        return text

    def remarks(self) -> str:
        """Say in one line what was filled in or not followed; "" for nothing."""
        filled = [f"{count} {what}" for what, count in self.filled.items()]
        return "; ".join([*filled, *self.notes])
