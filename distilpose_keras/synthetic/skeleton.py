"""The skeleton under a synthetic person: bones, proportions, joint limits.

Body coordinates are metres with x to the person's left, y up, z forward; the origin
is the midpoint of the hip joints. In the reference pose the person stands with arms
and legs straight down.
"""

from dataclasses import dataclass

import numpy as np

# Bone: (parent, origin in the reference body as fractions of stature). Segment lengths
# follow Drillis and Contini (1966) as tabulated by Winter, "Biomechanics and Motor
# Control of Human Movement": upper arm 0.186, forearm 0.146, thigh 0.245, shank 0.246,
# foot height 0.039, hip height 0.530, shoulder height 0.818 of stature.
_CENTRE = {
    "pelvis": (None, (0.0, 0.0, 0.0)),
    "spine": ("pelvis", (0.0, 0.060, -0.005)),
    "chest": ("spine", (0.0, 0.150, -0.008)),
    "neck": ("chest", (0.0, 0.305, -0.012)),
    "head": ("neck", (0.0, 0.352, -0.004)),
}
_LEFT = {
    "clavicle": ("chest", (0.015, 0.290, -0.006)),
    "upper_arm": ("clavicle", (0.104, 0.287, -0.008)),
    "forearm": ("upper_arm", (0.104, 0.101, -0.008)),
    "hand": ("forearm", (0.104, -0.045, -0.008)),
    "thigh": ("pelvis", (0.052, 0.0, 0.0)),
    "shank": ("thigh", (0.052, -0.245, 0.0)),
    "foot": ("shank", (0.052, -0.491, 0.0)),
}

# Joint limits in degrees: (flexion, sideways, twist) as (low, high), after the ranges
# of the American Academy of Orthopaedic Surgeons. Flexion bends the front together
# (knees: the back); sideways is abduction of limbs, lean to the left of the trunk,
# elevation of the clavicle, palm flexion of the hand; twist is internal rotation of
# limbs, turn to the left of the trunk, pronation of the forearm.
_LIMITS = {
    "spine": ((-20, 45), (-20, 20), (-20, 20)),
    "chest": ((-15, 40), (-15, 15), (-25, 25)),
    "neck": ((-25, 35), (-20, 20), (-35, 35)),
    "head": ((-25, 25), (-15, 15), (-40, 40)),
    "clavicle": ((-10, 10), (-5, 30), (0, 0)),
    "upper_arm": ((-50, 175), (-45, 170), (-90, 90)),
    "forearm": ((0, 145), (0, 0), (-80, 80)),
    "hand": ((-20, 30), (-60, 75), (0, 0)),
    "thigh": ((-20, 120), (-20, 50), (-40, 40)),
    "shank": ((0, 140), (0, 0), (0, 0)),
    "foot": ((-45, 25), (-15, 15), (-10, 10)),
}
# Signs that turn those angles into rotations about +x, +z, +y (left side).
_SIGNS = {
    "spine": (1, -1, 1),
    "chest": (1, -1, 1),
    "neck": (1, -1, 1),
    "head": (1, -1, 1),
    "clavicle": (-1, 1, -1),
    "upper_arm": (-1, 1, -1),
    "forearm": (-1, 0, -1),
    "hand": (-1, -1, 0),
    "thigh": (-1, 1, -1),
    "shank": (1, 0, 0),
    "foot": (-1, 1, -1),
}


def _sided(table):
    """Yield (bone name, side, name in ``table``) of the centre and both sides."""
    for name in _CENTRE:
        if name in table or name == "pelvis":
            yield name, 0, name
    for prefix, side in (("left_", 1), ("right_", -1)):
        for name in _LEFT:
            yield prefix + name, side, name


BONES = tuple(name for name, _, _ in _sided(_CENTRE))
BONE = {name: i for i, name in enumerate(BONES)}


def _bone_tables():
    parents, origins, limits, signs = [], [], [], []
    for bone, side, name in _sided(_CENTRE):
        parent, origin = (_LEFT if side else _CENTRE)[name]
        prefix = bone.removesuffix(name) if parent in _LEFT else ""
        parents.append(-1 if parent is None else BONE[prefix + parent])
        mirror = side or 1
        origins.append((origin[0] * mirror, origin[1], origin[2]))
        limits.append(_LIMITS.get(name, ((0, 0),) * 3))
        flexion, sideways, twist = _SIGNS.get(name, (0, 0, 0))
        signs.append((flexion, sideways * mirror, twist * mirror))
    return (
        tuple(parents),
        np.array(origins),
        np.array(limits, float),
        np.array(signs, float),
    )


# (19,) parents; (19, 3) origins; (19, 3, 2) limits; (19, 3) signs.
PARENTS, REFERENCE, JOINT_LIMITS, _AXIS_SIGNS = _bone_tables()


# (19, 19): row b has ones at b and its ancestors, so that it sums offsets to origins.
_ANCESTORS = np.eye(len(BONES))
for _bone, _parent in enumerate(PARENTS):
    if _parent >= 0:
        _ANCESTORS[_bone] += _ANCESTORS[_parent]
_OFFSETS = REFERENCE - REFERENCE[list(PARENTS)] * (np.array(PARENTS) >= 0)[:, None]


@dataclass(frozen=True)
class Physique:
    """How one person is built.

    Attributes:
        stature: body height in metres.
        scale: (19, 3) stretch of each bone's space (x, y, z) relative to the reference
            body of that stature: y lengthens a limb, x and z thicken it.
        belly: depth added to the front of the waist, as a fraction of stature.
        bust: depth added to the front of the chest, as a fraction of stature.
    """

    stature: float
    scale: np.ndarray
    belly: float
    bust: float

    def offsets(self):
        """(19, 3) bone origins seen from their parents' at rest, in metres."""
        return _OFFSETS * self.scale[list(PARENTS)] * self.stature


def _bones(*names):
    return [
        i for i, bone in enumerate(BONES) if any(bone.endswith(name) for name in names)
    ]


_LIMBS = _bones("upper_arm", "forearm", "hand", "thigh", "shank", "foot")
_TRUNK = _bones("pelvis", "spine", "chest", "clavicle")
_LEGS = _bones("thigh", "shank")
_ARMS = _bones("upper_arm", "forearm")
_HEAD = _bones("head")
_NECK = _bones("neck")


def sample_physique(rng):
    """Draw an adult (or, one time in six, a child) of random build.

    Args:
        rng: numpy random generator.

    Returns:
        A `Physique`.
    """
    child = rng.random() < 1 / 6
    stature = (
        rng.uniform(1.0, 1.5) if child else np.clip(rng.normal(1.71, 0.09), 1.5, 2)
    )
    youth = max(0.0, (1.6 - stature) / 0.6) if child else 0.0
    female = rng.random() < 0.5
    girth = float(np.clip(rng.normal(1.0 + 0.08 * youth, 0.1), 0.82, 1.35))
    scale = np.ones((len(BONES), 3))
    scale[_LIMBS, 0::2] *= girth
    scale[_TRUNK, 0] *= 0.5 + 0.5 * girth
    scale[_TRUNK, 2] *= girth
    scale[_NECK, 0::2] *= 0.4 + 0.6 * girth
    scale[_LEGS, 1] *= (1 - 0.10 * youth) * rng.uniform(0.96, 1.04)
    scale[_ARMS, 1] *= (1 - 0.06 * youth) * rng.uniform(0.96, 1.04)
    scale[_HEAD] *= (1 + 0.38 * youth) * rng.uniform(0.96, 1.04)
    if not child:
        scale[_bones("pelvis"), 0] *= 1.06 if female else 0.98
        scale[_bones("chest", "clavicle"), 0] *= 0.93 if female else 1.04
        scale[_ARMS, 0::2] *= 0.9 if female else 1.06
    return Physique(
        stature=float(stature),
        scale=scale,
        belly=max(0.0, (girth - 1.0) * rng.uniform(0.0, 0.12)),
        bust=rng.uniform(0.006, 0.022) if female and not child else 0.0,
    )


def rotations(degrees_xzy):
    """Rotation matrices Rx @ Rz @ Ry from angles (N, 3) about x, z and y, in degrees.

    Returns:
        (N, 3, 3) float64.
    """
    cosines = np.cos(np.radians(degrees_xzy)).T
    (cx, cz, cy), (sx, sz, sy) = cosines, np.sin(np.radians(degrees_xzy)).T
    matrices = np.empty((len(cx), 3, 3))
    matrices[:, 0, 0] = cz * cy
    matrices[:, 0, 1] = -sz
    matrices[:, 0, 2] = cz * sy
    matrices[:, 1, 0] = cx * sz * cy + sx * sy
    matrices[:, 1, 1] = cx * cz
    matrices[:, 1, 2] = cx * sz * sy - sx * cy
    matrices[:, 2, 0] = sx * sz * cy - cx * sy
    matrices[:, 2, 1] = sx * cz
    matrices[:, 2, 2] = sx * sz * sy + cx * cy
    return matrices


def turn_about_y(degrees):
    """(3, 3) rotation about the vertical that turns +z towards +x."""
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]])


def forward_kinematics(physique, pose):
    """Place the bones of a person in a pose.

    Args:
        physique: the `Physique`.
        pose: a `distilpose_keras.synthetic.pose.Pose`.

    Returns:
        (19, 3, 3) orientations and (19, 3) origins of the bones, in metres, with the
        pelvis at the origin.
    """
    local = rotations(pose.angles * _AXIS_SIGNS)
    orientations = np.empty_like(local)
    orientations[0] = pose.root
    for bone, parent in enumerate(PARENTS[1:], start=1):
        np.matmul(orientations[parent], local[bone], out=orientations[bone])
    offsets = orientations[list(PARENTS)] @ physique.offsets()[:, :, None]
    return orientations, _ANCESTORS @ offsets[:, :, 0]
