"""What annotations of people say of themselves: places, boxes, sides."""

import numpy as np

from distilpose_keras.checking.problems import Example, Problem, problem_of
from distilpose_keras.data.picture_sizes import SLACK
from distilpose_keras.keypoint_names import canonical_name

BOX_SLACK = 0.1  # of a box's longer side that keypoints may lie outside of it
TURNED = 0.5  # sine of the angle above which a face or trunk shows which way it looks
# Of real photographs' labels 0.3% look turned; more than this share is suspicious.
SWAPPED_SHARE = 0.02


def check_people(split):
    """Yield the problems of a split's annotations; no picture is opened.

    Args:
        split: `Split`.
    """
    found = [
        _outside(split),
        _boxes_without_keypoints(split),
        _without_box(split),
        swapped_sides(split),
        _never_labelled(split),
    ]
    return [problem for problem in found if problem is not None]


def _sizes(split):
    """(N, 2) (width, height) of the people's pictures; infinite where unknown."""
    sizes = split.images.sizes[split.persons.image_index, ::-1].astype(np.float64)
    sizes[sizes <= 0] = np.inf
    return sizes


def _farthest(persons, low, high):
    """(N,) how many pixels a person's farthest labelled keypoint is out of bounds."""
    beyond = np.maximum(low[:, None] - persons.keypoints, 0)
    beyond = np.maximum(beyond, persons.keypoints - high[:, None]).max(axis=-1)
    return np.where(persons.visibility > 0, beyond, 0).max(axis=1, initial=0)


def _outside(split):
    sizes = _sizes(split)
    distance = _farthest(split.persons, np.zeros_like(sizes), sizes)
    return problem_of(
        "people with keypoints outside their picture",
        split.name,
        distance > SLACK,
        lambda n: split.person(n, f"a keypoint {distance[n]:.0f} px outside"),
        serious=False,
        worst=distance,
    )


def _boxes_without_keypoints(split):
    persons = split.persons
    boxes = persons.boxes_xywh
    extent = boxes[:, 2:].max(axis=1)
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    distance = _farthest(persons, low, high) / np.maximum(extent, 1)
    return problem_of(
        "boxes that do not hold their keypoints",
        split.name,
        (distance > BOX_SLACK) & (extent > 0) & ~persons.crowds,
        lambda n: split.person(n, f"a keypoint {distance[n]:.0%} of the box outside"),
        serious=False,
        worst=distance,
    )


def _without_box(split):
    persons = split.persons
    boxes, sizes = persons.boxes_xywh, _sizes(split)
    shown = np.minimum(boxes[:, :2] + boxes[:, 2:], sizes) - np.maximum(boxes[:, :2], 0)
    return problem_of(
        "people whose box shows nothing of their picture",
        split.name,
        ((shown <= 0) | (boxes[:, 2:] <= 0)).any(axis=1) & ~persons.crowds,
        lambda n: split.person(n, f"box {boxes[n].round(1).tolist()}"),
        serious=False,
    )


def _never_labelled(split):
    labelled = (split.persons.visibility > 0).any(axis=0)
    if not len(split.persons) or not labelled.any():
        return Problem("split without a labelled keypoint", split.name, 1, 1, True)
    names = split.schema.names
    return problem_of(
        "keypoints that nobody has labelled",
        split.name,
        ~labelled,
        lambda k: Example(names[k]),
        serious=False,
    )


def swapped_sides(split):
    """Find people seen from the front whose left is on the wrong side.

    Where nose and both eyes are labelled, the left eye is on the left of the way from
    the eyes to the nose, however the head is turned in the picture. A trunk under such
    a face is the same way round, unless it is turned from the camera; without eyes, a
    nose says that the front is seen.

    Returns:
        A `Problem` if it is a suspicious share of those who can be judged, else None.
    """
    persons = split.persons
    points, labelled = _joints(split)
    face, face_seen = _turn(points, labelled, "eye", "nose", "nose")
    trunk, trunk_seen = _turn(points, labelled, "shoulder", "left_hip", "right_hip")
    hips, hips_seen = _turn(points, labelled, "hip", "left_shoulder", "right_shoulder")
    trunk_seen &= hips_seen
    front = (face > 0) & face_seen
    if "left_eye" not in points:
        front = labelled.get("nose", np.zeros(len(persons), bool))
    # Hips look up to the shoulders: their sense is the other one.
    turned_trunk = trunk_seen & front & (trunk < 0) & (hips > 0)
    bad = (face_seen & (face < 0)) | turned_trunk
    judged = face_seen | (front & trunk_seen)
    if np.count_nonzero(bad) <= 1 + SWAPPED_SHARE * np.count_nonzero(judged):
        return None
    places = np.flatnonzero(judged)
    return problem_of(
        "people seen from the front whose left is on the wrong side",
        split.name,
        bad[places],
        lambda n: split.person(places[n], "left and right look exchanged"),
        serious=True,
        worst=np.maximum(-face, np.where(turned_trunk, -trunk, 0))[places],
    )


def _joints(split):
    """Keypoints (N, 2) and whether they are labelled (N,), by canonical name."""
    names = [canonical_name(name) for name in split.schema.names]
    persons = split.persons
    points = {name: persons.keypoints[:, k] for k, name in enumerate(names)}
    labelled = {name: persons.visibility[:, k] > 0 for k, name in enumerate(names)}
    return points, labelled


def _turn(points, labelled, pair, first, second):
    """Sine of the angle from right-to-left to the way down, and where it is telling.

    Returns:
        (N,) positive if left is on the right of the picture when "down" is down, and
        (N,) bool.
    """
    names = (f"left_{pair}", f"right_{pair}", first, second)
    count = len(next(iter(points.values())))
    if any(name not in points for name in names):
        return np.zeros(count), np.zeros(count, bool)
    left, right, *ends = (points[name].astype(np.float64) for name in names)
    across = left - right
    down = (ends[0] + ends[1]) / 2 - (left + right) / 2
    lengths = np.linalg.norm(across, axis=1), np.linalg.norm(down, axis=1)
    product = across[:, 0] * down[:, 1] - across[:, 1] * down[:, 0]
    sine = product / np.maximum(lengths[0] * lengths[1], 1e-9)
    seen = np.all([labelled[name] for name in names], axis=0)
    wide = lengths[0] > np.maximum(0.3 * lengths[1], 4)  # not a profile, not a blur
    return sine, seen & wide & (np.abs(sine) > TURNED)
