"""Decoded surroundings of every person, kept in one file between epochs.

Decoding a picture costs more than cropping it. `PatchCache` decodes once, cuts out what
any augmented crop of a person may show, and maps the file of these patches into memory:
what is in use stays in the page cache of the system, shared by all processes.

Nothing here needs Keras, as in `samples`.
"""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from distilpose_keras.data.images import ImageError, read_reduced_image
from distilpose_keras.data.people_index import PeopleIndex
from distilpose_keras.data.transforms import (
    affordable_reduction,
    box_to_center_scale,
    choose_half_body,
    half_body_center_scale,
)
from distilpose_keras.files import atomic_path, write_json
from distilpose_keras.geometry import PIXEL_STD, PLAIN

MARGIN = 2  # pixels about a patch, for bilinear sampling


class PatchCache:
    """The patches of a data set; made by `open_cache`.

    A patch is a piece of the picture at the resolution that its closest crop needs.
    Crops are those of the pictures themselves up to rounding, but where a picture is so
    large that a wide crop would have been made of a more reduced one.

    Args:
        path: file of the pixels; a ``.json`` beside it says where each patch is.
    """

    def __init__(self, path):
        """Read where the patches are; pixels are mapped when first asked for."""
        self.path = Path(path)
        index = json.loads(self.path.with_suffix(".json").read_text())
        self._offsets = np.array(index["offsets"], np.int64)
        self._sizes = np.array(index["sizes"], np.int32)
        self._corners = np.array(index["corners"], np.int32)
        self._reductions = np.array(index["reductions"], np.int32)
        self._errors = {int(person): text for person, text in index["errors"].items()}
        self._pixels = None

    def read(self, person):
        """Return the patch of a person.

        Args:
            person: position in the data set.

        Returns:
            (h, w, 3) uint8 RGB; the (2,) x and y of its first pixel in the reduced
            picture; and the picture's reduction.

        Raises:
            ImageError: if the picture could not be read.
        """
        if person in self._errors:
            raise ImageError(self._errors[person])
        if self._pixels is None:
            self._pixels = np.memmap(self.path, np.uint8, mode="r")
        height, width = self._sizes[person]
        start = self._offsets[person]
        pixels = self._pixels[start : start + 3 * height * width]
        patch = np.asarray(pixels).reshape(height, width, 3)
        return patch, self._corners[person], int(self._reductions[person])

    def __getstate__(self):
        """Leave out the pixels: a worker process maps the file itself."""
        return {**self.__dict__, "_pixels": None}


def open_cache(
    folder, people, *, input_size, augmentation, geometry=PLAIN, progress=False
):
    """Open the cache of a data set, and write it first if there is none.

    Caches of several data sets, crop sizes and augmentations may share a folder.

    Args:
        folder: where the files are, or will be.
        people: PeopleIndex.
        input_size: (height, width) of a crop.
        augmentation: `Augmentation`; how far crops stray decides what is kept.
        geometry: `CropGeometry` of the crops.
        progress: show a progress bar while writing.

    Returns:
        PatchCache.

    Raises:
        ValueError: if the people are in shards.
    """
    if not isinstance(people, PeopleIndex):
        raise ValueError(
            f"a cache is of a folder's people. Received: {people.summary()}"
        )
    crops = {"input_size": input_size, "augmentation": augmentation}
    crops["geometry"] = geometry
    key = _key(people, **crops)
    path = Path(folder) / f"patches-{key}.bin"
    if not path.with_suffix(".json").exists():
        _write(path, people, crops, progress)
    return PatchCache(path)


def _key(people, input_size, augmentation, geometry):
    """A short digest of all that the patches depend on."""
    digest = hashlib.sha256()
    described = [str(people.image_dir.resolve()), people.image_files]
    described += [list(input_size), asdict(augmentation), geometry.name]
    digest.update(json.dumps(described).encode())
    columns = (people.image_index, people.boxes_xywh, people.keypoints)
    for column in (*columns, people.visibility):
        digest.update(np.ascontiguousarray(column))
    return digest.hexdigest()[:16]


def _write(path, people, crops, progress):
    """Decode every picture once; write the pixels, then where they are."""
    from rich.progress import track

    by_picture = np.argsort(people.image_index, kind="stable")
    rows = {"offsets": [], "sizes": [], "corners": [], "reductions": []}
    errors = {}
    last = picture = None
    written = 0
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        for person in track(
            by_picture, description="decoding", disable=not progress, transient=True
        ):
            window, wanted = _window(people, person, **crops)
            try:
                if last != (people.image_index[person], wanted):
                    last = people.image_index[person], wanted
                    image = people.image_index[person]
                    source, size = people.image_path(image), people.image_sizes[image]
                    picture = read_reduced_image(str(source), wanted, size)
                patch, corner = _cut(*picture, window)
                reduction = picture[1]
            except ImageError as error:
                last = None
                errors[int(person)] = str(error)
                patch, corner, reduction = np.empty((0, 0, 3), np.uint8), (0, 0), 1
            file.write(np.ascontiguousarray(patch))
            rows["offsets"].append(written)
            rows["sizes"].append(patch.shape[:2])
            rows["corners"].append(corner)
            rows["reductions"].append(reduction)
            written += patch.size
    # From the order of pictures to the order of people.
    back = np.argsort(by_picture)
    table = {name: np.array(values)[back].tolist() for name, values in rows.items()}
    write_json(path.with_suffix(".json"), {**table, "errors": errors})


def _window(people, person, input_size, augmentation, geometry):
    """What crops of a person may show: (4,) left, top, right, bottom; and reduction.

    The window is in pixels of the picture and may reach beyond it.
    """
    box = people.boxes_xywh[person]
    center, scale = box_to_center_scale(box, input_size=input_size, geometry=geometry)
    shift = np.zeros(2)
    if augmentation.jitter_probability:
        shift = augmentation.jitter * box[2:]
    crops = [(center, scale)]
    if augmentation.half_body_probability:
        crops += _half_bodies(people, person, input_size)
    widest = 1 + augmentation.scale_spread
    windows = []
    for middle, extent in crops:
        half = np.asarray(extent, np.float64) * PIXEL_STD / 2 * widest
        if augmentation.turns:
            half = np.full(2, np.hypot(*half))
        half = half + shift + MARGIN
        windows.append([*(middle - half), *(middle + half)])
    windows = np.array(windows)
    closest = scale * np.float32(max(1 - augmentation.scale_spread, 0.1))
    matrix = geometry.affine_matrix(center, closest, output_size=input_size)
    window = np.concatenate([windows[:, :2].min(axis=0), windows[:, 2:].max(axis=0)])
    return window, affordable_reduction(matrix)


def _half_bodies(people, person, input_size):
    """Center and scale of the crops of the upper and the lower body, if any."""
    crops = []
    for prefer_upper in (True, False):
        selected = choose_half_body(
            people.visibility[person], people.schema, prefer_upper
        )
        if selected is not None:
            crops.append(
                half_body_center_scale(
                    people.keypoints[person], selected, input_size=input_size
                )
            )
    return crops


def _cut(image, reduction, window):
    """Cut a window out of a reduced picture.

    Returns:
        (h, w, 3) pixels, at least one, and the (2,) x and y of the first.
    """
    height, width = image.shape[:2]
    last = np.array([width, height])
    begin = np.floor(window[:2] / reduction).astype(int) - 1
    end = np.ceil(window[2:] / reduction).astype(int) + 1
    begin = np.clip(begin, 0, last - 1)
    end = np.clip(end, begin + 1, last)
    return image[begin[1] : end[1], begin[0] : end[0]], begin
