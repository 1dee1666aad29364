"""The skin of a synthetic person, bent by the bones, and the keypoints in it."""

from functools import lru_cache

import numpy as np

from distilpose_keras.keypoints import COCO_17
from distilpose_keras.synthetic.mesh import body_template, face_surface
from distilpose_keras.synthetic.skeleton import (
    BONE,
    BONES,
    REFERENCE,
    forward_kinematics,
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
