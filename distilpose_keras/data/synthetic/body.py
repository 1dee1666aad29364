"""The skin of a synthetic person: one mesh for everybody, bent by the bones."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from distilpose_keras.data.synthetic.anatomy import HEAD_RINGS, TUBES
from distilpose_keras.data.synthetic.skeleton import (
    BONE,
    BONES,
    REFERENCE,
    forward_kinematics,
)
from distilpose_keras.keypoints import COCO_17

SIDES_OF_RING = 12
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
    """(12, 3) vertices and (3,) centre of one ring of a tube on the left side."""
    at, half_width, half_depth, across, depth = ring
    angles = np.arange(SIDES_OF_RING) * 2 * np.pi / SIDES_OF_RING
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


# Where COCO's keypoints lie: (bone, point in the reference body). Nose, eyes and ears
# are on the surface of the face, the others at the joint centres.
_KEYPOINTS = {
    "nose": ("head", (0.0, 0.3835, 0.0745)),
    "left_eye": ("head", (0.0175, 0.4035, face_surface(0.0175, 0.4035) + 0.0022)),
    "left_ear": ("head", (0.0460, 0.3960, -0.003)),
    "left_shoulder": ("left_upper_arm", None),
    "left_elbow": ("left_forearm", None),
    "left_wrist": ("left_hand", None),
    "left_hip": ("left_thigh", None),
    "left_knee": ("left_shank", None),
    "left_ankle": ("left_foot", None),
}


def _keypoint_anchors():
    bones, offsets = [], []
    for name in COCO_17.names:
        right = name.startswith("right_")
        bone, point = _KEYPOINTS[name.replace("right_", "left_")]
        bone = BONE[bone.replace("left_", "right_") if right else bone]
        mirror = np.array([-1 if right else 1, 1, 1])
        origin = REFERENCE[bone]
        bones.append(bone)
        offsets.append(np.zeros(3) if point is None else point * mirror - origin)
    return np.array(bones), np.array(offsets)


_KEYPOINT_BONES, _KEYPOINT_OFFSETS = _keypoint_anchors()


@lru_cache(maxsize=1)
def _trunk_front():
    """Vertices on the front of the trunk; how much belly and bust move each (N, 2)."""
    template = body_template()
    front = template.vertices_of("torso") & (template.vertices[:, 2] > 0)
    (indices,) = front.nonzero()
    height = template.vertices[indices, 1]
    belly = np.exp(-(((height - 0.09) / 0.05) ** 2))
    bust = np.exp(-(((height - 0.225) / 0.03) ** 2))
    return indices, np.stack([belly, bust], 1)


def _shaped(physique, thickness):
    """(V, 3) template vertices with the person's build and clothing thickness."""
    template = body_template()
    vertices = template.vertices - template.centres
    vertices *= thickness[:, None]
    vertices += template.centres
    indices, moves = _trunk_front()
    vertices[indices, 2] += moves @ (physique.belly, physique.bust)
    return vertices


def pose_body(physique, pose, thickness, turn):
    """Bend the mesh of a person into a pose, standing (or lying) on the ground y = 0.

    Args:
        physique: the `Physique`.
        pose: the `Pose`.
        thickness: (V,) factor on the distance of each vertex from its ring's centre.
        turn: (3, 3) rotation that makes the person face some way.

    Returns:
        (V, 3) vertices, (17, 3) COCO keypoints and (19, 3) bone origins, in metres,
        with the hips' midpoint over the world's origin.
    """
    template = body_template()
    orientations, origins = forward_kinematics(physique, pose)
    orientations = turn @ orientations
    origins = origins @ turn.T
    # One affine map per bone: reference body -> scaled -> posed. Rows are the images
    # of x, y, z and the offset.
    scaled = orientations * (physique.scale * physique.stature)[:, None, :]
    maps = np.empty((len(BONES), 4, 3), np.float32)
    maps[:, :3] = scaled.transpose(0, 2, 1)
    maps[:, 3] = origins - (scaled @ REFERENCE[:, :, None])[:, :, 0]
    blended = maps[template.bone]
    shared, share = template.shared, template.share[template.shared, None, None]
    blended[shared] += share * (maps[template.other[shared]] - blended[shared])
    x, y, z = _shaped(physique, thickness).astype(np.float32).T[:, :, None]
    vertices = x * blended[:, 0] + y * blended[:, 1] + z * blended[:, 2] + blended[:, 3]
    keypoints = origins[_KEYPOINT_BONES] + np.einsum(
        "kij,kj->ki", scaled[_KEYPOINT_BONES], _KEYPOINT_OFFSETS
    )
    floor = np.array([0.0, vertices[:, 1].min(), 0.0])
    return vertices - floor, keypoints - floor, origins - floor
