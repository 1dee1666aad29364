"""The skin around the bones, and where the keypoints lie in it."""

import numpy as np
import pytest

from distilpose_keras.keypoints import COCO_17
from distilpose_keras.synthetic.actions import sample_pose
from distilpose_keras.synthetic.body import pose_body
from distilpose_keras.synthetic.casting import VARIED
from distilpose_keras.synthetic.clothing import sample_outfit
from distilpose_keras.synthetic.mesh import body_template
from distilpose_keras.synthetic.pose import Pose
from distilpose_keras.synthetic.skeleton import BONES, Physique, sample_physique

K = {name: i for i, name in enumerate(COCO_17.names)}


@pytest.fixture(scope="module")
def standing():
    """Vertices and keypoints of an average adult at attention, facing +z."""
    physique = Physique(1.75, np.ones((len(BONES), 3)), belly=0.0, bust=0.0)
    thickness = np.ones(len(body_template().vertices))
    vertices, keypoints, _ = pose_body(physique, Pose("test"), thickness, np.eye(3))
    return vertices, keypoints


def test_a_standing_adult_is_as_tall_as_their_stature(standing):
    template = body_template()
    head = standing[0][template.vertices_of("head"), 1].max()
    assert head == pytest.approx(1.75, abs=0.02)
    assert standing[0][:, 1].min() == pytest.approx(0, abs=1e-6)


def test_face_keypoints_lie_on_the_face(standing):
    vertices, keypoints = standing
    template = body_template()
    for side in ("left", "right"):
        iris = template.part == template.parts.index(f"{side}_iris")
        middle = vertices[template.faces[iris]].mean((0, 1))
        assert np.linalg.norm(keypoints[K[f"{side}_eye"]] - middle) < 0.003
        ear = template.vertex_part == template.parts.index(f"{side}_ear")
        low, high = vertices[ear].min(0) - 0.003, vertices[ear].max(0) + 0.003
        assert (low < keypoints[K[f"{side}_ear"]]).all()
        assert (keypoints[K[f"{side}_ear"]] < high).all()
    nose = vertices[template.vertices_of("nose")]
    assert np.linalg.norm(nose - keypoints[K["nose"]], axis=1).min() < 0.001
    head = vertices[template.vertices_of("head")]
    assert keypoints[K["nose"], 2] > head[:, 2].max()  # the tip sticks out


@pytest.mark.parametrize(
    "part, joint, radius",
    [
        ("arm", "elbow", 0.05),
        ("arm", "wrist", 0.04),
        ("leg", "knee", 0.07),
        ("leg", "ankle", 0.05),
        ("leg", "hip", 0.12),
    ],
)
def test_joints_lie_inside_their_limbs(standing, part, joint, radius):
    vertices, keypoints = standing
    template = body_template()
    for side in ("left", "right"):
        limb = vertices[template.vertex_part == template.parts.index(f"{side}_{part}")]
        point = keypoints[K[f"{side}_{joint}"]]
        level = limb[np.abs(limb[:, 1] - point[1]) < 0.04]
        around = level[:, [0, 2]] - point[[0, 2]]
        assert np.linalg.norm(around, axis=1).max() < radius + 0.02
        assert around.min() < 0 < around.max()


def test_everybody_stands_on_the_ground_in_one_piece():
    rng = np.random.default_rng(3)
    for _ in range(40):
        physique, pose = sample_physique(rng), sample_pose(rng, VARIED.actions)
        outfit = sample_outfit(rng)
        vertices, keypoints, _ = pose_body(physique, pose, outfit.thickness, np.eye(3))
        assert np.isfinite(vertices).all()
        assert vertices[:, 1].min() == pytest.approx(0, abs=1e-5)
        assert np.ptp(vertices, axis=0).max() < 1.5 * physique.stature
        assert (keypoints > vertices.min(0) - 1e-3).all()
        assert (keypoints < vertices.max(0) + 1e-3).all()
        assert outfit.colours.min() >= 0 and outfit.colours.max() <= 255
