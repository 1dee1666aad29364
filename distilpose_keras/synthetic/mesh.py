"""The mesh that every synthetic person shares, in the reference pose."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from distilpose_keras.synthetic.anatomy import HEAD_RINGS, TUBES
from distilpose_keras.synthetic.skeleton import BONE, REFERENCE

SIDES_OF_RING = 10
# A facial feature is drawn over the skin it lies on: it sorts nearer by this much.
FEATURE_BIAS = 0.02


@dataclass(frozen=True)
class BodyTemplate:
    """The mesh in the reference pose; V vertices, F four-sided faces.

    Attributes:
        vertices: (V, 3) in fractions of stature.
        centres: (V, 3) centre of each vertex' ring.
        bone: (V,) bone that carries the vertex.
        other: (V,) second bone.
        share: (V,) share of the second bone.
        shared: indices of the vertices with such a share.
        faces: (F, 4) vertex indices, anticlockwise seen from outside.
        part: (F,) index into ``parts``.
        middle: (F, 3) middle of each face, in fractions of stature.
        ring: (F,) number of the face's ring along its tube.
        around: (F,) number of the face around its ring.
        bias: (F,) metres by which the face sorts nearer than it is.
        vertex_part: (V,) index into ``parts``.
        parts: names of tubes and facial features, paired ones as left_ and right_.
    """

    vertices: np.ndarray
    centres: np.ndarray
    bone: np.ndarray
    other: np.ndarray
    share: np.ndarray
    shared: np.ndarray
    faces: np.ndarray
    part: np.ndarray
    middle: np.ndarray
    ring: np.ndarray
    around: np.ndarray
    bias: np.ndarray
    vertex_part: np.ndarray
    parts: tuple

    def faces_of(self, name):
        """(F,) bool: faces of the part called so, on either side."""
        return np.isin(self.part, self._indices(name))

    def vertices_of(self, name):
        """(V,) bool: vertices of the part called so, on either side."""
        return np.isin(self.vertex_part, self._indices(name))

    def _indices(self, name):
        called = (name, f"left_{name}", f"right_{name}")
        return [i for i, part in enumerate(self.parts) if part in called]


def face_surface(x, y):
    """Depth z of the front of the head at (x, y), all in fractions of stature."""
    heights, widths, depths, _, middles = np.array(HEAD_RINGS).T
    width, depth = np.interp(y, heights, widths), np.interp(y, heights, depths)
    power = TUBES["head"].power
    across = min(abs(x) / width, 1.0) ** power
    return float(np.interp(y, heights, middles) + depth * (1 - across) ** (1 / power))


def _features():
    """Facial features as (name, quad (4, 3)) of the left half or the middle."""

    def on_skin(*corners, lift=0.0012):
        return [(x, y, face_surface(x, y) + lift) for x, y in corners]

    def diamond(x, y, half_width, half_height, lift):
        return on_skin(
            (x - half_width, y),
            (x, y - half_height),
            (x + half_width, y),
            (x, y + half_height),
            lift=lift,
        )

    tip, bridge = (0.0, 0.3835, 0.0745), (0.0, 0.408, face_surface(0, 0.408) + 0.002)
    wing = (0.0105, 0.3795, face_surface(0.0105, 0.3795))
    base = (0.0, 0.3775, face_surface(0, 0.3775) + 0.006)
    return {
        "eye_white": diamond(0.0175, 0.4035, 0.0090, 0.0046, 0.0014),
        "iris": diamond(0.0175, 0.4035, 0.0046, 0.0046, 0.0022),
        "brow": on_skin(
            (0.0085, 0.4115), (0.0180, 0.4125), (0.0275, 0.4110), (0.0180, 0.4165)
        ),
        "glasses": on_skin(
            (0.0045, 0.3960),
            (0.0300, 0.3960),
            (0.0310, 0.4105),
            (0.0040, 0.4105),
            lift=0.006,
        ),
        "nose": [bridge, tip, wing, wing],
        "nostril": [tip, base, wing, wing],
        "lip": on_skin(
            (0.0, 0.3600), (0.0, 0.3560), (0.0135, 0.3595), (0.0, 0.3630), lift=0.002
        ),
    }


def _ring_points(tube, ring):
    """(10, 3) vertices and (3,) centre of one ring of a tube on the left side."""
    at, half_width, half_depth, across, depth = ring
    # Half a step on, so that one vertex lies right at the front.
    angles = (np.arange(SIDES_OF_RING) + 0.5) * 2 * np.pi / SIDES_OF_RING
    circle = np.stack([np.cos(angles), np.sin(angles)], 1)
    circle = np.sign(circle) * np.abs(circle) ** (2 / tube.power)
    points = np.empty((SIDES_OF_RING, 3))
    along, over = (1, 2) if tube.axis == "y" else (2, 1)
    points[:, 0] = tube.x + across + half_width * circle[:, 0]
    points[:, over] = depth + half_depth * circle[:, 1]
    points[:, along] = at
    return points, points.mean(0)


def _carriers(tube, at):
    """The two bones at a position of a tube and the share of the second."""
    segment = sum(at < joint for joint in tube.joints)
    if tube.joints:
        nearest = min(range(len(tube.joints)), key=lambda j: abs(at - tube.joints[j]))
        distance = abs(at - tube.joints[nearest])
        if distance < tube.blend:
            other = nearest + 1 if segment == nearest else nearest
            return (
                tube.bones[segment],
                tube.bones[other],
                0.5 - 0.5 * (distance / tube.blend),
            )
    return tube.bones[segment], tube.bones[segment], 0.0


class _Builder:
    """Collects vertices and faces of the template."""

    def __init__(self):
        self.vertices, self.centres, self.weights, self.vertex_part = [], [], [], []
        self.faces, self.part, self.ring, self.around = [], [], [], []
        self.bias, self.parts = [], []
        self.count = 0

    def _add_vertices(self, points, centre, weights):
        self.vertices.append(points)
        self.centres.append(np.broadcast_to(centre, points.shape))
        self.weights += [weights] * len(points)
        self.vertex_part += [len(self.parts) - 1] * len(points)
        self.count += len(points)

    def _add_face(self, corners, ring, around, bias):
        self.faces.append(corners)
        self.part.append(len(self.parts) - 1)
        self.ring.append(ring)
        self.around.append(around)
        self.bias.append(bias)

    def add_tube(self, name, tube, prefix):
        """Add a tube; with prefix "right_" its mirror image."""
        mirror = np.array([-1 if prefix == "right_" else 1, 1, 1])
        self.parts.append(prefix + name)
        start, n = self.count, SIDES_OF_RING
        for ring in tube.rings:
            points, centre = _ring_points(tube, ring)
            bone, other, share = _carriers(tube, ring[0])
            bones = [b if b in BONE else prefix + b for b in (bone, other)]
            weights = (BONE[bones[0]], BONE[bones[1]], share)
            self._add_vertices(points * mirror, centre * mirror, weights)
        for ring in range(len(tube.rings) - 1):
            for k in range(n):
                a, b = start + ring * n + k, start + ring * n + (k + 1) % n
                self._add_face(self._outward((a, b, b + n, a + n), start), ring, k, 0.0)

    def _outward(self, corners, start):
        points = np.concatenate(self.vertices)[list(corners)]
        centres = np.concatenate(self.centres)[list(corners)]
        normal = np.cross(points[2] - points[0], points[3] - points[1])
        if normal @ (points.mean(0) - centres.mean(0)) < 0:
            return corners[::-1]
        return corners

    def add_feature(self, name, quad, prefix, order):
        """Add one facial feature, mirrored for prefix "right_"."""
        mirror = np.array([-1 if prefix == "right_" else 1, 1, 1])
        self.parts.append(prefix + name)
        points = np.array(quad, float) * mirror
        head = BONE["head"]
        start = self.count
        self._add_vertices(points, REFERENCE[head], (head, head, 0.0))
        corners = (start, start + 1, start + 2, start + 3)
        if np.cross(points[2] - points[0], points[3] - points[1])[2] < 0:
            corners = corners[::-1]
        self._add_face(corners, 0, 0, FEATURE_BIAS + 0.002 * order)


@lru_cache(maxsize=1)
def body_template():
    """The mesh that every synthetic person shares, as a `BodyTemplate`."""
    builder = _Builder()
    for name, tube in TUBES.items():
        for prefix in ("left_", "right_") if tube.paired else ("",):
            builder.add_tube(name, tube, prefix)
    for order, (name, quad) in enumerate(_features().items()):
        for prefix in ("left_", "right_"):
            builder.add_feature(name, quad, prefix, order)
    vertices = np.concatenate(builder.vertices)
    faces = np.array(builder.faces)
    bone, other, share = np.array(builder.weights).T
    bone, other = bone.astype(int), other.astype(int)
    part = np.array(builder.vertex_part)
    skirt = part == builder.parts.index("skirt")
    # Each half of the hem follows its own thigh, the waistband the pelvis.
    left = vertices[:, 0] >= 0
    other[skirt] = np.where(left[skirt], BONE["left_thigh"], BONE["right_thigh"])
    share[skirt] = np.interp(-vertices[skirt, 1], (-0.06, 0.07), (0.0, 0.92))
    return BodyTemplate(
        vertices=vertices,
        centres=np.concatenate(builder.centres),
        bone=bone,
        other=other,
        share=share.astype(np.float32),
        shared=share.nonzero()[0],
        faces=faces,
        part=np.array(builder.part),
        middle=vertices[faces].mean(1),
        ring=np.array(builder.ring),
        around=np.array(builder.around),
        bias=np.array(builder.bias),
        vertex_part=part,
        parts=tuple(builder.parts),
    )
