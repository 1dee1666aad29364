"""Scenes for a person finder: several pictures of people in one, and small people.

Photographs around one person teach nobody what a crowd or a person far off looks like.
So a scene is cut into rectangles, each of which shows a part of another picture at a
random scale; and people are cut out with what is around them and pasted elsewhere, and
so are patches without anybody, so that a pasted patch is no sign of a person.

Boxes are (left, top, width, height).
"""

from dataclasses import dataclass

import cv2
import keras
import numpy as np

from distilpose_keras.codecs.middles import encode
from distilpose_keras.data.cutouts import GREY, CutoutsAndLight
from distilpose_keras.data.images import read_reduced_image

SMALLEST_CELL = 40  # pixels
FIRST_SPLIT, LATER_SPLITS = 0.6, 0.5  # probabilities
LARGEST_ZOOM = 3.0
SMALLEST_SIDE = 5.0  # pixels of the scene: of smaller people nothing is learned
VISIBLE = 0.35  # share of a person's box that has to be in the scene
COVERED = 0.5  # share of a box under something pasted that makes it nobody's fault
PASTES = 0.5  # probability of pasting anything
MOST_PASTED = 6
PASTED_HEIGHTS = (16, 110)  # pixels
AROUND = 0.15  # of a box's sides, cut out with it
TRIES = 8  # to find a patch without anybody


@dataclass
class Scene:
    """A picture that is being put together.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        boxes: list of (4,) people.
        ignored: list of (4,) parts that are nobody's fault.
    """

    image: np.ndarray
    boxes: list
    ignored: list


class SceneMaker:
    """Puts scenes together.

    Args:
        people: `PeopleIndex`; people without keypoints too.
        input_size: (height, width) of a scene.
    """

    def __init__(self, people, input_size):
        """Sort the people by picture."""
        self._people = people
        self._size = tuple(input_size)
        images, first = np.unique(people.image_index, return_index=True)
        self._images = images
        self._boxes = dict(
            zip(images.tolist(), np.split(people.boxes_xywh, first[1:]), strict=True)
        )

    def make(self, rng):
        """Return a new `Scene`.

        Args:
            rng: ``numpy.random.Generator`` that decides everything.

        Raises:
            ImageError: naming the file, if a picture cannot be read.
        """
        scene = Scene(np.full((*self._size, 3), GREY, np.uint8), [], [])
        for cell in divide(rng, (0, 0, self._size[1], self._size[0]), FIRST_SPLIT):
            self._fill(rng, scene, cell)
        if rng.random() < PASTES:
            for _ in range(rng.integers(1, MOST_PASTED + 1)):
                self._paste(rng, scene)
        return scene

    def _draw(self, rng):
        """A random picture's number: one with many people comes more often."""
        return int(self._people.image_index[rng.integers(len(self._people))])

    def _read(self, number, zoom):
        """A picture at about the wanted zoom or larger, and the zoom it has."""
        reduction = 1
        while reduction < 8 and zoom * reduction * 2 <= 0.8:
            reduction *= 2
        path = str(self._people.image_path(number))
        return read_reduced_image(path, reduction, self._people.image_sizes[number])

    def _fill(self, rng, scene, cell):
        """Show a part of a random picture in a cell of the scene."""
        left, top, width, height = cell
        number = self._draw(rng)
        size = self._people.image_sizes[number][::-1].astype(float)
        ratios = np.array([width, height]) / size
        low, high = np.log([ratios.min() * 0.75, ratios.max() * 1.4])
        zoom = min(np.exp(rng.uniform(low, high)), LARGEST_ZOOM)
        zooms = zoom * np.exp(rng.uniform(-0.12, 0.12) * np.array([1, -1]))
        image, _ = self._read(number, zoom)
        image = _resized(image, size * zooms)
        zooms = image.shape[1::-1] / size
        boxes = self._boxes[number] * np.tile(zooms, 2)
        if rng.random() < 0.5:
            image = image[:, ::-1]
            boxes[:, 0] = image.shape[1] - boxes[:, 0] - boxes[:, 2]
        window = scene.image[top : top + height, left : left + width]
        if rng.random() < 0.4:
            window[:] = rng.integers(0, 256, 3)
        shift = [
            rng.integers(min(0, room), max(0, room) + 1)
            for room in (width - image.shape[1], height - image.shape[0])
        ]
        _place(window, image, shift)
        boxes[:, :2] += shift
        people, ignored = visible_parts(boxes, (width, height))
        for rows, kept in ((people, scene.boxes), (ignored, scene.ignored)):
            rows[:, :2] += (left, top)
            kept.extend(rows)

    def _paste(self, rng, scene):
        """Paste a person, or a patch without anybody, with soft edges."""
        number = self._draw(rng)
        boxes = self._boxes[number]
        size = self._people.image_sizes[number][::-1]
        box = boxes[rng.integers(len(boxes))]
        empty = rng.random() < 0.35
        if empty:
            box = _without_people(rng, boxes, box[2:], size)
        zoom = np.exp(rng.uniform(*np.log(PASTED_HEIGHTS))) / max(box[3], 1)
        zoom = min(zoom, 1.5)
        image, reduction = self._read(number, zoom)
        around = AROUND * box[2:]
        low = np.maximum(box[:2] - around, 0)
        high = np.minimum(box[:2] + box[2:] + around, size)
        begin = (low / reduction).astype(int)
        end = np.maximum(np.ceil(high / reduction).astype(int), begin + 2)
        patch = image[begin[1] : end[1], begin[0] : end[0]]
        patch = _resized(patch, (end - begin) * reduction * zoom)
        room = np.array(scene.image.shape[1::-1]) - patch.shape[1::-1]
        if (room <= 0).any():
            return
        corner = rng.integers(0, room)
        pasted = (box - [*begin * reduction, 0, 0]) * zoom
        if rng.random() < 0.5:
            patch = patch[:, ::-1]
            pasted[0] = patch.shape[1] - pasted[0] - pasted[2]
        pasted[:2] += corner
        _blend(scene.image, patch, corner)
        _cover(scene, pasted)
        if not empty:
            small = pasted[2:].min() < SMALLEST_SIDE
            (scene.ignored if small else scene.boxes).append(pasted)
            # Others whom the patch shows in part are not known to be there.
            others = np.any([b is not box for b in boxes]) and len(boxes) > 1
            if others:
                scene.ignored.append(np.array([*corner, *patch.shape[1::-1]]))


def divide(rng, cell, probability):
    """Cut a rectangle (left, top, width, height) into rectangles, or not."""
    left, top, width, height = cell
    if min(width, height) < 2 * SMALLEST_CELL or rng.random() > probability:
        return [cell]
    share = rng.uniform(0.35, 0.65)
    if rng.random() < width / (width + height):
        cut = int(width * share)
        parts = (left, top, cut, height), (left + cut, top, width - cut, height)
    else:
        cut = int(height * share)
        parts = (left, top, width, cut), (left, top + cut, width, height - cut)
    return [c for part in parts for c in divide(rng, part, LATER_SPLITS)]


def visible_parts(boxes, size):
    """What is inside a window of a size (width, height).

    Returns:
        (N, 4) boxes of people of whom enough is there, cut at the border; and (M, 4)
        of the others who are there in part or too small.
    """
    low = np.clip(boxes[:, :2], 0, size)
    high = np.clip(boxes[:, :2] + boxes[:, 2:], 0, size)
    parts = np.concatenate([low, high - low], axis=1)
    area = parts[:, 2] * parts[:, 3]
    there = area > 0
    whole = np.maximum(boxes[:, 2] * boxes[:, 3], 1e-9)
    good = there & (area >= VISIBLE * whole)
    good &= (parts[:, 2:] >= SMALLEST_SIDE).all(axis=1)
    return parts[good], parts[there & ~good]


def _resized(image, size):
    """An image at a size (width, height), rounded, at least 2x2."""
    size = tuple(np.maximum(np.rint(size).astype(int), 2).tolist())
    smaller = size[0] < image.shape[1]
    method = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return cv2.resize(image, size, interpolation=method)


def _place(window, image, shift):
    """Copy an image into a window, its corner at ``shift`` (x, y), cut to it."""
    low = np.maximum(shift, 0)
    high = np.minimum(np.add(shift, image.shape[1::-1]), window.shape[1::-1])
    if (high > low).all():
        source = image[
            low[1] - shift[1] : high[1] - shift[1],
            low[0] - shift[0] : high[0] - shift[0],
        ]
        window[low[1] : high[1], low[0] : high[0]] = source


def _blend(image, patch, corner):
    """Paste a patch whose edges fade into the image."""
    height, width = patch.shape[:2]
    y, x = (np.abs(np.linspace(-1, 1, side)) for side in (height, width))
    distance = (y[:, None] ** 4 + x[None] ** 4) ** 0.25
    opacity = np.clip((1.02 - distance) / 0.2, 0, 1)[..., None].astype(np.float32)
    below = image[corner[1] : corner[1] + height, corner[0] : corner[0] + width]
    below[:] = below + opacity * (patch.astype(np.float32) - below)


def _cover(scene, box):
    """Let go of people who are now mostly hidden under a box."""
    kept = []
    for person in scene.boxes:
        low = np.maximum(person[:2], box[:2])
        high = np.minimum(person[:2] + person[2:], box[:2] + box[2:])
        hidden = np.prod(np.maximum(high - low, 0)) / np.prod(person[2:])
        (scene.ignored if hidden > COVERED else kept).append(person)
    scene.boxes[:] = kept


def _without_people(rng, boxes, extent, size):
    """A box like ``extent`` that shows the least of anybody, of a few tries."""
    extent = np.minimum(extent, size)
    best, least = None, np.inf
    for _ in range(TRIES):
        corner = rng.uniform(0, 1, 2) * (size - extent)
        low = np.maximum(corner, boxes[:, :2])
        high = np.minimum(corner + extent, boxes[:, :2] + boxes[:, 2:])
        shown = np.prod(np.maximum(high - low, 0), axis=1).max()
        if shown < least:
            best, least = np.array([*corner, *extent]), shown
    if least > 0.1 * np.prod(extent):  # a corner of the picture is better than a person
        extent = np.maximum(extent / 4, 2)
        best = np.array([*(rng.integers(0, 2, 2) * (size - extent)), *extent])
    return best


class SceneDataset(keras.utils.PyDataset):
    """Batches of scenes with the targets of `codecs.middles`, for `fit`.

    What a batch holds follows from (seed, epoch, index) alone.

    Args:
        people: see `SceneMaker`.
        input_size: (height, width) of a scene.
        batch_size: scenes in a batch.
        batches: in an epoch.
        seed: of everything.
    """

    def __init__(self, people, *, input_size, batch_size, batches, seed=0):
        """Make nothing yet."""
        super().__init__()
        self._maker = SceneMaker(people, input_size)
        self._size = tuple(input_size)
        self._batch_size, self._batches = batch_size, batches
        self._seed, self._epoch = seed, 0
        self._light = CutoutsAndLight(cutout=0.25, cutout_probability=0.3)

    def __len__(self):
        """Return the number of batches in an epoch."""
        return self._batches

    def set_epoch(self, epoch):
        """Make the batches of this epoch the next ones."""
        self._epoch = epoch

    def __getitem__(self, index):
        """Return images (B, H, W, 3) uint8 RGB and a dict of targets."""
        place = (self._seed, self._epoch, index)
        scenes = [
            self._maker.make(np.random.default_rng((*place, slot)))
            for slot in range(self._batch_size)
        ]
        images = self._light(np.stack([scene.image for scene in scenes]), place)
        maps = [encode(s.boxes, self._size, s.ignored) for s in scenes]
        return images, {name: np.stack([m[name] for m in maps]) for name in maps[0]}
