"""Crops: the people of images as model input, prepared in threads ahead of use."""

import itertools
import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from distilpose_keras.data.transforms import box_to_center_scale, warp
from distilpose_keras.geometry import PLAIN, CropGeometry
from distilpose_keras.types import Size

if TYPE_CHECKING:
    from distilpose_keras.data.people_index import PeopleIndex


class CropBatch(NamedTuple):
    """Crops of some people.

    Attributes:
        indices: (N,) positions of the people in the index they come from.
        crops: (N, H, W, 3) uint8 RGB.
        centers: (N, 2) crop centers in the images, pixels.
        scales: (N, 2) crop sizes in the images, in units of 200 pixels.
    """

    indices: np.ndarray
    crops: np.ndarray
    centers: np.ndarray
    scales: np.ndarray


def crop_people(
    image: np.ndarray,
    centers: np.ndarray,
    scales: np.ndarray,
    input_size: Size,
    geometry: CropGeometry = PLAIN,
) -> np.ndarray:
    """Cut people out of an image.

    Args:
        image: (height, width, 3) uint8 RGB.
        centers: (N, 2) crop centers, pixels.
        scales: (N, 2) crop sizes, in units of 200 pixels.
        input_size: (H, W) of a crop.
        geometry: `CropGeometry` of the model that is shown the crops.

    Returns:
        (N, H, W, 3) uint8 crops.
    """
    crops = np.empty((len(centers), *input_size, 3), np.uint8)
    for crop, center, scale in zip(crops, centers, scales, strict=True):
        matrix = geometry.affine_matrix(center, scale, output_size=input_size)
        crop[:] = warp(image, matrix, input_size)
    return crops


def crop_batches(
    people: "PeopleIndex",
    *,
    input_size: Size,
    batch_size: int,
    workers: int | None = None,
    geometry: CropGeometry = PLAIN,
) -> Iterator[CropBatch]:
    """Yield the crops of all people, each image decoded once.

    Threads decode and crop the next images while the caller works on a batch;
    what lies ready is bounded, whatever the number of people.

    Args:
        people: a `PeopleIndex`.
        input_size: (H, W) of a crop.
        batch_size: people in a batch; the last one may have fewer.
        workers: threads; one per core by default.
        geometry: `CropGeometry` of the model that is shown the crops.

    Yields:
        `CropBatch`, people of an image together.

    Raises:
        ImageError: (a ValueError) if an image is missing or damaged; it names it.
    """
    workers = workers or os.cpu_count()
    groups = iter(_by_image(people))
    pool = ThreadPoolExecutor(workers, thread_name_prefix="crops")

    def prepare(indices):
        centers, scales = box_to_center_scale(
            people.boxes_xywh[indices], input_size=input_size, geometry=geometry
        )
        image = people.read_picture(people.image_index[indices[0]])
        crops = crop_people(image, centers, scales, input_size, geometry)
        return CropBatch(indices, crops, centers, scales)

    try:
        pending = deque(
            pool.submit(prepare, group)
            for group in itertools.islice(groups, 2 * workers + 1)
        )
        ready = []
        while pending:
            ready.append(pending.popleft().result())
            pending.extend(
                pool.submit(prepare, group) for group in itertools.islice(groups, 1)
            )
            while sum(len(part.indices) for part in ready) >= batch_size:
                joined = _join(ready)
                yield CropBatch(*(array[:batch_size] for array in joined))
                ready = [CropBatch(*(array[batch_size:] for array in joined))]
        if ready and len(_join(ready).indices):
            yield _join(ready)
    finally:
        pool.shutdown(cancel_futures=True)


def _join(parts):
    """Concatenate batches."""
    return CropBatch(*map(np.concatenate, zip(*parts, strict=True)))


def _by_image(people):
    """Positions of the people of each image, one array per image."""
    image_index = np.asarray(people.image_index)
    if not len(image_index):
        return []
    order = np.argsort(image_index, kind="stable")
    borders = np.flatnonzero(np.diff(image_index[order])) + 1
    return np.split(order, borders)
