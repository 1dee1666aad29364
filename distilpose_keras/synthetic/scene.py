"""Where everything stands: camera, people, furniture and things in the way.

World coordinates are metres, y up, the ground at y = 0. Camera coordinates are metres,
x right, y down, z away from the camera.
"""

from dataclasses import dataclass

import numpy as np

from distilpose_keras.synthetic.actions import sample_pose
from distilpose_keras.synthetic.body import pose_body
from distilpose_keras.synthetic.casting import VARIED
from distilpose_keras.synthetic.chance import choose
from distilpose_keras.synthetic.clothing import sample_outfit
from distilpose_keras.synthetic.objects import box, chair, plant, table
from distilpose_keras.synthetic.skeleton import (
    rotations,
    sample_physique,
    turn_about_y,
)


@dataclass(frozen=True)
class Camera:
    """A pinhole camera.

    Attributes:
        rotation: (3, 3) world to camera axes.
        position: (3,) in the world, metres.
        focal: focal length in pixels.
        size: (height, width) of the image.
    """

    rotation: np.ndarray
    position: np.ndarray
    focal: float
    size: tuple[int, int]

    def to_camera(self, points):
        """World points (..., 3) in camera coordinates."""
        position, rotation = (
            array.astype(points.dtype) for array in (self.position, self.rotation)
        )
        return (points - position) @ rotation.T

    def to_pixels(self, points):
        """Pixels (..., 2) of points (..., 3) in camera coordinates.

        Pixel (0, 0) is the middle of the upper left pixel.
        """
        height, width = self.size
        middle = np.array([(width - 1) / 2, (height - 1) / 2], points.dtype)
        depth = np.maximum(points[..., 2:], 1e-3)
        return points[..., :2] * (points.dtype.type(self.focal) / depth) + middle

    def ground_at(self, column, distance):
        """World point (3,) on the ground ahead by ``distance``, at an image column."""
        forward = self.rotation[2] * (1, 0, 1)
        forward /= np.linalg.norm(forward)
        right = np.array([-forward[2], 0, forward[0]])
        offset = (column - self.size[1] / 2) / self.focal * distance
        return (self.position + forward * distance + right * offset) * (1, 0, 1)


@dataclass
class Person:
    """One rendered person, in world coordinates.

    Attributes:
        vertices: (V, 3) skin.
        keypoints: (17, 3).
        bones: (19, 3) bone origins.
        stature: metres.
        outfit: the `Outfit`.
        action: name of the action.
    """

    vertices: np.ndarray
    keypoints: np.ndarray
    bones: np.ndarray
    stature: float
    outfit: object
    action: str

    @property
    def position(self):
        """(3,) point on the ground under the hips."""
        return self.bones[0] * (1, 0, 1)


@dataclass
class Scene:
    """Everything in one picture: camera, people, solids, direction of the light."""

    camera: Camera
    people: list
    solids: list
    light: np.ndarray


def _sample_camera(rng, size, casting):
    """A camera that sees a person at the origin at a random size and height."""
    height, width = size
    focal = width * rng.uniform(0.9, 1.7)
    # How tall a person of 1.7 m is in the image; above 1 the border cuts them.
    fraction = rng.uniform(*choose(rng, casting.heights, casting.height_odds))
    distance = focal * 1.7 / (fraction * height)
    eye = rng.uniform(
        *choose(rng, ((1.2, 1.8), (0.3, 1.1), (1.9, 4.0)), (0.6, 0.15, 0.25))
    )
    eye = min(eye, 0.9 + 0.9 * distance)
    look_at = rng.uniform(0.6, 1.1)
    drop = np.arctan2(eye - look_at, distance)
    drop += np.arctan2((0.5 - rng.normal(0.52, 0.09)) * height, focal)
    yaw = rng.uniform(0, 360)
    roll = rng.normal(0, 2) if rng.random() < 0.9 else rng.normal(0, 12)
    # Axes of a level camera looking along world +z: x right is world -x, y down.
    level = np.diag((-1.0, -1.0, 1.0))
    tilt = rotations(np.array([[np.degrees(drop), 0, 0], [0, roll, 0]]))
    rotation = tilt[1] @ tilt[0] @ level @ turn_about_y(-yaw)
    forward = rotation[2] * (1, 0, 1)
    position = -forward / np.linalg.norm(forward) * distance + (0, eye, 0)
    return Camera(rotation, position, focal, size), distance


def _facing(rng, camera, casting):
    """Rotation about y that faces the camera, more or less, or looks anywhere."""
    towards = np.degrees(np.arctan2(camera.position[0], camera.position[2]))
    if rng.random() < casting.facing:
        return turn_about_y(towards + rng.normal(0, casting.facing_spread))
    return turn_about_y(towards + rng.uniform(-180, 180))


def _sample_person(rng, camera, place, casting):
    """A person at a place (3,) on the ground, and the seat they need, if any."""
    physique, pose = sample_physique(rng), sample_pose(rng, casting.actions)
    outfit = sample_outfit(rng)
    turn = _facing(rng, camera, casting)
    vertices, keypoints, bones = pose_body(physique, pose, outfit.thickness, turn)
    place = np.asarray(place) - bones[0] * (1, 0, 1)
    person = Person(
        (vertices + place).astype(np.float32),
        keypoints + place,
        bones + place,
        physique.stature,
        outfit,
        pose.action,
    )
    seat = None
    if pose.seat is not None:
        height = person.bones[0, 1] - pose.seat * physique.stature
        seat = chair(rng, person.position, turn, height, physique.stature)
    return person, seat


def _places(rng, camera, distance, casting):
    """Ground points of one to four people that do not stand in each other."""
    width = camera.size[1]
    places = [camera.ground_at(width * rng.uniform(0.2, 0.8), distance)]
    for _ in range(choose(rng, range(len(casting.people)), casting.people)):
        for _ in range(6):
            depth = distance * rng.uniform(0.75, 1.8)
            if rng.random() < 0.45:  # beside or behind somebody: they overlap
                pixels = (camera.to_pixels(camera.to_camera(places[0])))[0]
                column = pixels + rng.normal(0, 0.35) * camera.focal / depth
            else:
                column = width * rng.uniform(0.0, 1.0)
            place = camera.ground_at(column, depth)
            if all(np.linalg.norm(place - other) > 0.55 for other in places):
                places.append(place)
                break
    return places


def _furniture(rng, camera, distance):
    """Solids that stand about, behind the people and in front of them."""
    solids = []
    for _ in range(rng.integers(0, 4)):
        depth = distance * rng.uniform(1.25, 2.6)
        place = camera.ground_at(camera.size[1] * rng.uniform(-0.1, 1.1), depth)
        maker = (box, table, plant)[rng.integers(3)]
        solids.append(maker(rng, place, _facing(rng, camera, VARIED)))
    if rng.random() < 0.3:
        depth = distance * rng.uniform(0.55, 0.8)
        place = camera.ground_at(camera.size[1] * rng.uniform(0, 1), depth)
        maker = (box, table, plant)[rng.integers(3)]
        solids.append(maker(rng, place, _facing(rng, camera, VARIED)))
    return solids


def sample_scene(rng, size, casting=VARIED):
    """Draw a camera, people and furniture.

    Args:
        rng: numpy random generator.
        size: (height, width) of the image in pixels.
        casting: the `Casting`.

    Returns:
        A `Scene`.
    """
    camera, distance = _sample_camera(rng, size, casting)
    people, solids = [], _furniture(rng, camera, distance)
    for place in _places(rng, camera, distance, casting):
        person, seat = _sample_person(rng, camera, place, casting)
        people.append(person)
        if seat is not None:
            solids.append(seat)
    light = rng.normal(0, 0.6, 3) + (0, 1.0, 0)
    light[1] = max(light[1], 0.35)
    return Scene(camera, people, solids, light / np.linalg.norm(light))
