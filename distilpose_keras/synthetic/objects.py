"""Furniture and other solids of a synthetic scene, made of small four-sided faces.

The faces are small because a picture is drawn from the farthest face to the nearest,
by the distance of their middles.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from distilpose_keras.synthetic.clothing import sample_colour


@dataclass
class Solid:
    """Faces of an object in the world.

    Attributes:
        faces: (F, 4, 3) corners in metres, anticlockwise seen from outside.
        colours: (F, 3) RGB, 0 to 255.
    """

    faces: np.ndarray
    colours: np.ndarray


@lru_cache(maxsize=64)
def _unit_block(cells):
    """(F, 4, 3) faces of a unit cube around the origin, cut into (x, y, z) cells."""
    faces = []
    for axis in range(3):
        a, b = [i for i in range(3) if i != axis]
        for side in (-0.5, 0.5):
            for i in range(cells[a]):
                for j in range(cells[b]):
                    quad = np.empty((4, 3))
                    quad[:, axis] = side
                    quad[:, a] = (np.array((i, i + 1, i + 1, i)) / cells[a]) - 0.5
                    quad[:, b] = (np.array((j, j, j + 1, j + 1)) / cells[b]) - 0.5
                    normal = np.cross(quad[2] - quad[0], quad[3] - quad[1])
                    faces.append(quad if normal[axis] * side > 0 else quad[::-1])
    return np.array(faces)


def block(rng, low, high, colour, cell=0.14):
    """A box between two corners, coloured with a little unevenness.

    Args:
        rng: numpy random generator.
        low: (3,) lowest corner in metres.
        high: (3,) highest corner.
        colour: (3,) RGB.
        cell: size of a face in metres.
    """
    low, high = np.asarray(low, float), np.asarray(high, float)
    cells = tuple(np.clip(np.ceil((high - low) / cell), 1, 5).astype(int))
    faces = _unit_block(cells) * (high - low) + (low + high) / 2
    colours = np.asarray(colour) * rng.normal(1, 0.03, (len(faces), 1))
    return Solid(faces, colours)


def _assemble(solids, turn, place):
    faces = np.concatenate([solid.faces for solid in solids])
    colours = np.concatenate([solid.colours for solid in solids])
    return Solid(faces @ np.asarray(turn).T + place, np.clip(colours, 0, 255))


def box(rng, place, turn):
    """A crate, bin or cupboard at a place (3,) on the ground."""
    width, height, depth = rng.uniform((0.25, 0.25, 0.25), (0.9, 1.3, 0.7))
    body = block(
        rng,
        (-width / 2, 0, -depth / 2),
        (width / 2, height, depth / 2),
        sample_colour(rng),
        cell=0.3,
    )
    if rng.random() < 0.5:  # slats or drawers
        middle = body.faces.mean(1)[:, 1]
        body.colours[(middle // (height / 4)).astype(int) % 2 == 0] *= 0.8
    return _assemble([body], turn, place)


def table(rng, place, turn):
    """A table with four legs at a place (3,) on the ground."""
    width, height, depth = rng.uniform((0.6, 0.5, 0.5), (1.6, 0.85, 0.8))
    colour = sample_colour(rng)
    parts = [
        block(
            rng,
            (-width / 2, height - 0.05, -depth / 2),
            (width / 2, height, depth / 2),
            colour,
            cell=0.35,
        )
    ]
    for x in (-width / 2, width / 2 - 0.06):
        for z in (-depth / 2, depth / 2 - 0.06):
            low = (x, 0, z)
            high = (x + 0.06, height - 0.05, z + 0.06)
            parts.append(block(rng, low, high, colour * 0.8, cell=0.6))
    return _assemble(parts, turn, place)


def plant(rng, place, turn):
    """A bush or a potted plant: a heap of leaves at a place (3,) on the ground."""
    height, count = rng.uniform(0.4, 1.7), 110
    stem = rng.uniform(0, 1, count) ** 0.7
    spread = (0.05 + 0.3 * height * np.sin(np.pi * np.clip(stem, 0.1, 0.95))) * (
        rng.uniform(0.3, 1, count) ** 0.5
    )
    around = rng.uniform(0, 2 * np.pi, count)
    middle = np.stack(
        [np.cos(around) * spread, stem * height, np.sin(around) * spread], 1
    )
    # A leaf is a diamond: twice as long as wide, pointing anywhere.
    length = rng.normal(0, 0.055, (count, 1, 3))
    width = np.cross(length[:, 0], rng.normal(0, 0.4, (count, 3)))[:, None]
    faces = middle[:, None] + np.concatenate([length, width, -length, -width], 1)
    green = np.array((70, 120, 50)) * rng.uniform(0.4, 1.3) + rng.normal(0, 12, 3)
    shade = rng.uniform(0.6, 1.3, (count, 1))
    return _assemble([Solid(faces, green * shade)], turn, place)


def chair(rng, place, turn, height, stature):
    """Something to sit on: a chair, a stool, a bench or a block.

    Args:
        rng: numpy random generator.
        place: (3,) ground point under the hips.
        turn: (3, 3) orientation of the person.
        height: height of the seat in metres.
        stature: body height in metres, which the seat's depth follows.
    """
    kind = rng.choice(("chair", "block", "bench"))
    half = {"chair": 0.23, "block": rng.uniform(0.2, 0.35), "bench": 0.7}[kind]
    back, front = -0.16, 0.17 * stature
    colour = sample_colour(rng)
    height = max(height, 0.06)
    if kind == "block":
        parts = [block(rng, (-half, 0, back), (half, height, front), colour)]
    else:
        seat = (-half, height - 0.05, back), (half, height, front)
        parts = [block(rng, *seat, colour)]
        for x in (-half, half - 0.05):
            for z in (back, front - 0.05):
                high = (x + 0.05, height - 0.05, z + 0.05)
                parts.append(block(rng, (x, 0, z), high, colour * 0.8, cell=0.3))
    if kind == "chair" or rng.random() < 0.3:
        low, high = (-half, height, back - 0.05), (half, height + 0.45, back)
        parts.append(block(rng, low, high, colour * 0.9))
    return _assemble(parts, turn, place)
