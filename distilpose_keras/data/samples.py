"""Makes training samples: a person's crop, target keypoints and weights.

Nothing here needs Keras: data worker processes import this module and little else.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from distilpose_keras.codecs.coordinates import encode_coordinates
from distilpose_keras.data.cache import PatchCache
from distilpose_keras.data.images import (
    ImageError,
    decode_reduced_image,
    read_reduced_image,
)
from distilpose_keras.data.transforms import (
    Augmentation,
    affordable_reduction,
    augment_pose,
    box_to_center_scale,
    reduced_matrix,
    transform_points,
    warp,
)
from distilpose_keras.geometry import PLAIN, CropGeometry
from distilpose_keras.keypoints import KeypointSchema
from distilpose_keras.types import FilePath, Size


class SampleRequest(NamedTuple):
    """Some people to make samples of.

    Attributes:
        indices: (n,) their positions in the data set; seeds the augmentation.
        paths: n picture files.
        boxes_xywh: (n, 4) pixels.
        keypoints: (n, K, 2) pixels.
        visibility: (n, K).
        keep: (n,) bool: the picture will be wanted again soon.
        sizes: (n, 2) (height, width) of the pictures by their annotations, or None.
        confidences: (n, K) in [0, 1], what a label is worth; None where all are 1.
        contents: n picture files' bytes, or None where they are read from ``paths``.
    """

    indices: np.ndarray
    paths: list[str]
    boxes_xywh: np.ndarray
    keypoints: np.ndarray
    visibility: np.ndarray
    keep: np.ndarray
    sizes: np.ndarray | None = None
    confidences: np.ndarray | None = None
    contents: list[bytes] | None = None

    def take(self, rows: np.ndarray) -> "SampleRequest":
        """Return the request of the people at some of the n positions."""

        def chosen(values):
            if isinstance(values, list):
                return [values[n] for n in rows]
            return None if values is None else values[rows]

        return SampleRequest(*map(chosen, self))


class SampleArrays(NamedTuple):
    """A batch of B samples.

    Attributes:
        images: (B, H, W, 3) uint8 RGB.
        keypoints: (B, K, 2) float32 in [0, 1] of the crop.
        weights: (B, K, 1) float32.
    """

    images: np.ndarray
    keypoints: np.ndarray
    weights: np.ndarray

    @classmethod
    def empty(cls, count: int, input_size: Size, num_keypoints: int) -> "SampleArrays":
        """Return unfilled arrays for ``count`` samples."""
        return cls(
            np.empty((count, *input_size, 3), np.uint8),
            np.empty((count, num_keypoints, 2), np.float32),
            np.empty((count, num_keypoints, 1), np.float32),
        )


class ImageCache:
    """Holds decoded pictures until the last of their people has been cropped.

    Args:
        limit_bytes: the least recently used picture goes when there are more.
    """

    def __init__(self, limit_bytes: int) -> None:
        """Start empty."""
        self._limit = limit_bytes
        self._size = 0
        self._images = OrderedDict()

    def read(
        self,
        path: FilePath,
        reduction: int,
        keep: bool,
        size: ArrayLike | None = None,
        content: bytes | None = None,
    ) -> tuple[np.ndarray, int]:
        """Return a picture and its reduction, from memory if it is there.

        Args:
            path: the file.
            reduction: 1, 2, 4 or 8, see `read_reduced_image`.
            keep: hold the picture for another person.
            size: (height, width) it must have.
            content: of the file, where it is not to be read from ``path``.
        """
        key = (path, reduction)
        found = self._images.pop(key, None)
        if found is not None:
            self._size -= found[0].nbytes
        elif content is None:
            found = read_reduced_image(path, reduction, size)
        else:
            found = decode_reduced_image(content, path, reduction, size)
        if keep:
            self._images[key] = found
            self._size += found[0].nbytes
            while self._size > self._limit:
                _, (image, _) = self._images.popitem(last=False)
                self._size -= image.nbytes
        return found


@dataclass
class SampleLoader:
    """Makes samples; the same ones wherever and in whatever order it is asked to.

    Attributes:
        schema: KeypointSchema of the people.
        input_size: (height, width) of a crop.
        augmentation: Augmentation.
        seed: with the epoch and a person's position, seeds that person's augmentation.
        cache_bytes: decoded pictures to hold.
        geometry: CropGeometry of the model that learns from the samples.
        patches: `PatchCache` to read from in place of the picture files, or None.
    """

    schema: KeypointSchema
    input_size: tuple[int, int]
    augmentation: Augmentation
    seed: int
    cache_bytes: int
    geometry: CropGeometry = PLAIN
    patches: PatchCache | None = None
    _cache: ImageCache = field(init=False, repr=False)

    def __post_init__(self):
        """Open the cache."""
        self._cache = ImageCache(self.cache_bytes)

    def load(
        self,
        request: SampleRequest,
        epoch: int,
        arrays: SampleArrays,
        slots: np.ndarray,
    ) -> dict[int, str]:
        """Fill samples into arrays.

        Args:
            request: SampleRequest of n people.
            epoch: number of the epoch.
            arrays: SampleArrays to write to.
            slots: n positions in the arrays.

        Returns:
            dict of slot to message for the people whose picture cannot be read.
        """
        errors = {}
        # People of one picture in a row: it is decoded once even if none is kept.
        order = sorted(range(len(slots)), key=request.paths.__getitem__)
        for n, following in zip(order, [*order[1:], None], strict=True):
            same = (
                following is not None and request.paths[n] == request.paths[following]
            )
            try:
                self._load_one(
                    request, n, epoch, same or bool(request.keep[n]), arrays, slots[n]
                )
            except ImageError as error:
                errors[int(slots[n])] = str(error)
        return errors

    def _load_one(self, request, n, epoch, keep, arrays, slot):
        """Fill the sample of one person."""
        box, visibility = request.boxes_xywh[n], request.visibility[n]
        rng = np.random.default_rng((self.seed, epoch, int(request.indices[n])))
        center, scale = box_to_center_scale(
            box, input_size=self.input_size, geometry=self.geometry
        )
        center, scale, rotation, flip = augment_pose(
            rng,
            center,
            scale,
            request.keypoints[n],
            visibility,
            box,
            self.schema,
            self.augmentation,
            input_size=self.input_size,
            geometry=self.geometry,
        )
        matrix = self.geometry.affine_matrix(
            center, scale, rotation, output_size=self.input_size, flip=flip
        )
        arrays.images[slot] = self._crop(request, n, matrix, keep)
        points = transform_points(request.keypoints[n], matrix)
        if flip:
            points = points[self.schema.flip_permutation]
            visibility = visibility[self.schema.flip_permutation]
        arrays.keypoints[slot], arrays.weights[slot] = encode_coordinates(
            points, visibility, self.input_size, self.geometry
        )
        if request.confidences is not None:
            confidences = request.confidences[n]
            if flip:
                confidences = confidences[self.schema.flip_permutation]
            arrays.weights[slot] *= confidences[:, None]

    def _crop(self, request, n, matrix, keep):
        """Return the (H, W, 3) crop that a (2, 3) matrix cuts out of a picture."""
        if self.patches is not None:
            image, corner, reduction = self.patches.read(int(request.indices[n]))
            matrix = reduced_matrix(matrix, reduction)
            matrix[:, 2] += matrix[:, :2] @ corner
            return warp(image, matrix, self.input_size)
        reduction = affordable_reduction(matrix)
        size = None if request.sizes is None else request.sizes[n]
        content = None if request.contents is None else request.contents[n]
        image, reduction = self._cache.read(
            request.paths[n], reduction, keep, size, content
        )
        return warp(image, reduced_matrix(matrix, reduction), self.input_size)
