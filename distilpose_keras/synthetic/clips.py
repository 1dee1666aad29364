"""Rendered clips of people who walk, and who is who in each frame.

People cross each other, leave and return, hide behind a pillar; the camera pans. The
places below are metres on the ground: to the right of the picture's middle, and away
from it (the camera stands `DISTANCE` before it).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from distilpose_keras.synthetic.annotations import (
    VISIBLE,
    keypoint_visibility,
    silhouettes,
)
from distilpose_keras.synthetic.body import pose_body
from distilpose_keras.synthetic.clothing import sample_outfit
from distilpose_keras.synthetic.objects import block
from distilpose_keras.synthetic.pose import SIDES, Pose
from distilpose_keras.synthetic.render import draw_scene, map_faces
from distilpose_keras.synthetic.scene import Camera, Person, Scene
from distilpose_keras.synthetic.skeleton import sample_physique, turn_about_y

DISTANCE, EYE_HEIGHT = 5.0, 1.5  # metres
STEPS = 0.9  # pairs of steps a second
LEAST_AREA, LEAST_KEYPOINTS = 60, 4  # that show of a person who counts as there


@dataclass(frozen=True)
class Plot:
    """What happens in a clip.

    Attributes:
        paths: of each person, ((seconds, right, away), ...) in metres; straight and at
            even speed between these.
        pillars: (right, away, width) of things to hide behind, metres.
        pan: degrees that the camera turns to either side.
        pan_seconds: that it takes to turn there and back.
    """

    paths: tuple[tuple[tuple[float, float, float], ...], ...]
    pillars: tuple[tuple[float, float, float], ...] = ()
    pan: float = 0.0
    pan_seconds: float = 5.0


PLOTS = {
    # Two people stay in the picture: what speed is measured on.
    "two": Plot(
        (
            ((0, -1.5, 0), (4, 0.2, 0.4), (8, -1.5, 0)),
            ((0, 1.5, 0.8), (4, 0.3, 1.6), (8, 1.5, 0.8)),
        )
    ),
    # Two pairs walk past each other, close by; the camera pans.
    "cross": Plot(
        (
            ((0, -1.8, 0), (4, 1.8, 0), (8, -1.8, 0)),
            ((0, 1.8, 0.5), (4, -1.8, 0.5), (8, 1.8, 0.5)),
            ((0, -1.9, 1.3), (5, 1.9, 1.3), (8, 0, 1.3)),
            ((0, 1.5, 1.8), (5, -1.9, 1.8), (8, 0.5, 1.8)),
        ),
        pan=4,
    ),
    # One leaves for a second and returns, one leaves for good, one comes late.
    "leave": Plot(
        (
            ((0, 0, 0), (2, 2.7, 0), (4, 2.7, 0), (7, -1, 0)),
            ((0, -1, 0.7), (4, -4, 0.7)),
            ((0, 5, 1.2), (3, 5, 1.2), (8, 0.2, 1.2)),
        )
    ),
    # Two walk behind a pillar, one after the other, and out again; the camera pans.
    "hide": Plot(
        (
            ((0, -1.8, 0.6), (4, 1.8, 0.6), (8, -1.8, 0.6)),
            ((0, 1.6, 1.1), (1, 1.6, 1.1), (6, -1.6, 1.1), (8, -1.6, 1.1)),
        ),
        pillars=((0, 0, 0.7),),
        pan=3,
    ),
}


@dataclass(frozen=True)
class ClipFrame:
    """One frame and the people who can be seen in it.

    Attributes:
        seconds: its time.
        image: (height, width, 3) uint8 RGB, or None where only the truth is asked for.
        ids: (P,) int numbers of the people, the same in all frames.
        boxes: (P, 4) float64 left, top, width, height of what shows of them, pixels.
        keypoints: (P, 17, 2) float64 pixels, hidden ones too.
        flags: (P, 17) int 2 visible, 1 hidden, 0 outside the picture or unlabelled.
    """

    seconds: float
    image: np.ndarray | None
    ids: np.ndarray
    boxes: np.ndarray
    keypoints: np.ndarray
    flags: np.ndarray


def render_clip(
    plot: Plot,
    *,
    frames: int,
    fps: float = 25.0,
    size: tuple[int, int] = (480, 640),
    seed: int = 0,
    pixels: bool = True,
) -> Iterator[ClipFrame]:
    """Render a clip frame by frame.

    Args:
        plot: what happens; see `PLOTS`.
        frames: number of frames.
        fps: frames a second.
        size: (height, width) in pixels.
        seed: of the people's bodies, clothes and the place.
        pixels: whether to draw the pictures, which takes most of the time.

    Yields:
        `ClipFrame` objects.
    """
    rng = np.random.default_rng(seed)
    cast = [(sample_physique(rng), sample_outfit(rng)) for _ in plot.paths]
    phases = rng.uniform(0, 1, len(cast))
    pillars = [_pillar(rng, *pillar) for pillar in plot.pillars]
    light = np.array([0.3, 0.85, -0.4]) / np.linalg.norm([0.3, 0.85, -0.4])
    for number in range(frames):
        seconds = number / fps
        people = [
            _person(*bodies, path, seconds, phase)
            for bodies, path, phase in zip(cast, plot.paths, phases, strict=True)
        ]
        scene = Scene(_camera(plot, seconds, size), people, pillars, light)
        yield _frame(scene, seconds, seed, pixels)


def _frame(scene, seconds, seed, pixels):
    """What the camera sees of a scene."""
    faces = map_faces(scene)
    points, flags = keypoint_visibility(scene, faces)
    masks = silhouettes(scene, faces)
    there = masks.sum((1, 2)) >= LEAST_AREA
    there &= (flags == VISIBLE).sum(1) >= LEAST_KEYPOINTS
    (ids,) = there.nonzero()
    boxes = np.array([_box(masks[i]) for i in ids], np.float64).reshape(-1, 4)
    image = None
    if pixels:  # the same place and camera in every frame
        image = draw_scene(np.random.default_rng((seed, 1)), scene, faces, seed)
    return ClipFrame(seconds, image, ids, boxes, points[ids], flags[ids])


def _box(mask):
    """Left, top, width and height of a mask."""
    rows, columns = (mask.any(axis).nonzero()[0] for axis in (1, 0))
    left, top = columns[0], rows[0]
    return left, top, columns[-1] + 1 - left, rows[-1] + 1 - top


def _camera(plot, seconds, size):
    """The camera at a time; it looks along z, with x to the left of the picture."""
    yaw = plot.pan * np.sin(2 * np.pi * seconds / plot.pan_seconds)
    rotation = np.diag((-1.0, -1.0, 1.0)) @ turn_about_y(yaw)
    # The middle of a person a little above the middle of the picture.
    tilt = np.arctan2(EYE_HEIGHT - 0.9, DISTANCE)
    cosine, sine = np.cos(tilt), np.sin(tilt)
    down = np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])
    position = np.array([0.0, EYE_HEIGHT, -DISTANCE])
    return Camera(down @ rotation, position, float(size[1]), size)


def _pillar(rng, right, away, width):
    low = (-right - width / 2, 0, away - 0.15)
    high = (-right + width / 2, 2.3, away + 0.15)
    return block(rng, low, high, rng.uniform(60, 200, 3))


def _person(physique, outfit, path, seconds, phase):
    """A person where the path has them, walking unless they stand."""
    times, right, away = np.array(path, float).T
    place = np.array([-np.interp(seconds, times, right), 0, 0])
    place[2] = np.interp(seconds, times, away)
    leg = np.clip(np.searchsorted(times, seconds, "right"), 1, len(times) - 1)
    step = np.array([right[leg - 1] - right[leg], away[leg] - away[leg - 1]])
    speed = np.linalg.norm(step) / (times[leg] - times[leg - 1])
    moves = speed > 0 and times[0] <= seconds < times[-1]
    heading = np.degrees(np.arctan2(*step)) if moves else 180.0  # to the camera
    pose = walking(STEPS * seconds + phase, min(speed, 1.0) if moves else 0.0)
    turn = turn_about_y(heading)
    vertices, keypoints, bones = pose_body(physique, pose, outfit.thickness, turn)
    place = place - bones[0] * (1, 0, 1)
    return Person(
        (vertices + place).astype(np.float32),
        keypoints + place,
        bones + place,
        physique.stature,
        outfit,
        pose.action,
    )


def walking(cycles: float, stride: float) -> Pose:
    """The pose of a person who walks.

    Args:
        cycles: pairs of steps so far.
        stride: length of the steps from 0, standing, to 1.
    """
    pose = Pose("walking")
    for side, offset in zip(SIDES, (0, np.pi), strict=True):
        angle = 2 * np.pi * cycles + offset
        hip = 24 * stride * np.sin(angle)
        # The knee bends while the leg swings forward.
        knee = 5 + 40 * stride * max(0.0, np.cos(angle + 0.3))
        pose.leg(side, hip=hip, knee=knee, abduction=2)
        pose.arm(side, (-20 * stride * np.sin(angle), 8, 12), 15 + 8 * stride, 20)
    return pose
