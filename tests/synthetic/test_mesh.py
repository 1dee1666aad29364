"""The mesh of the body: its tubes, its face, and which bones carry it."""

import numpy as np
import pytest

from distilpose_keras.synthetic.anatomy import TUBES
from distilpose_keras.synthetic.mesh import (
    _carriers,
    _ring_points,
    body_template,
    face_surface,
)
from distilpose_keras.synthetic.skeleton import BONE


def vertices(name):
    template = body_template()
    return template.vertices[template.vertex_part == template.parts.index(name)]


def test_the_front_of_the_head_is_where_its_rings_say():
    # The ring at 0.422 has its middle at 0.004 and half a depth of 0.056; the one
    # below, at 0.406, has 0.006 and 0.0545.
    assert face_surface(0.0, 0.422) == pytest.approx(0.060)
    assert face_surface(0.0, 0.414) == pytest.approx(0.005 + 0.05525)
    assert face_surface(0.0435, 0.422) == pytest.approx(0.004)  # the side of the head
    assert face_surface(-0.02, 0.4) == face_surface(0.02, 0.4) < face_surface(0, 0.4)


@pytest.mark.parametrize(
    "at, bones, share",
    [
        (0.200, ("upper_arm", "upper_arm"), 0.0),
        (0.112, ("upper_arm", "forearm"), 0.25),  # half the blend above the elbow
        (0.101, ("upper_arm", "forearm"), 0.5),
        (0.090, ("forearm", "upper_arm"), 0.25),
        (-0.14, ("hand", "hand"), 0.0),
    ],
)
def test_skin_near_a_joint_is_shared_by_both_bones(at, bones, share):
    *found, weight = _carriers(TUBES["arm"], at)
    assert tuple(found) == bones
    assert weight == pytest.approx(share)


def test_a_ring_is_a_superellipse():
    tube = TUBES["backpack"]  # of power 3.5, nearly a box
    at, width, depth, across, middle = tube.rings[2]
    points, centre = _ring_points(tube, tube.rings[2])
    x, z = (points[:, 0] - tube.x - across) / width, (points[:, 2] - middle) / depth
    np.testing.assert_allclose(np.abs(x) ** 3.5 + np.abs(z) ** 3.5, 1)
    np.testing.assert_allclose(points[:, 1], at)
    np.testing.assert_allclose(centre, (tube.x + across, at, middle), atol=1e-9)


def test_the_right_side_mirrors_the_left_and_hangs_on_right_bones():
    template = body_template()
    for name in ("arm", "leg", "foot", "hand", "iris", "lip"):
        left, right = vertices(f"left_{name}"), vertices(f"right_{name}")
        np.testing.assert_array_equal(left * (-1, 1, 1), right)
        assert template.vertices_of(name).sum() == 2 * len(left)
    sides = {}
    for side in ("left", "right"):
        arm = template.vertex_part == template.parts.index(f"{side}_arm")
        sides[side] = set(template.bone[arm]) | set(template.other[arm])
        chain = ("clavicle", "upper_arm", "forearm", "hand")
        assert sides[side] == {BONE[f"{side}_{bone}"] for bone in chain}
    assert not sides["left"] & sides["right"]


def test_faces_turn_outwards():
    """The signed volume inside a closed, outward-facing part is positive."""
    template = body_template()
    for name in ("torso", "head", "left_arm", "right_leg", "left_foot", "right_hand"):
        faces = template.faces[template.part == template.parts.index(name)]
        quads = template.vertices[faces]
        quads = quads - quads.mean((0, 1))
        halves = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
        volume = np.linalg.det(halves).sum() / 6
        assert volume > 0, name


def test_a_skirt_follows_both_thighs_the_more_the_lower():
    template = body_template()
    skirt = template.vertices_of("skirt")
    x, y, _ = template.vertices[skirt].T
    assert set(template.bone[skirt]) == {BONE["pelvis"]}
    assert set(template.other[skirt][x > 0]) == {BONE["left_thigh"]}
    assert set(template.other[skirt][x < 0]) == {BONE["right_thigh"]}
    share = template.share[skirt][np.argsort(y)]  # from the hem up
    assert (np.diff(share) <= 0).all()
    assert share[0] > 0.9 and share[-1] == 0
