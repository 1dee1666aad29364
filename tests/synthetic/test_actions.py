"""Poses: possible ones, and recognisable as what they are called."""

import numpy as np

from distilpose_keras.synthetic.actions import _lift_clavicles, sample_pose
from distilpose_keras.synthetic.casting import VARIED
from distilpose_keras.synthetic.pose import Pose
from distilpose_keras.synthetic.skeleton import (
    BONE,
    BONES,
    JOINT_LIMITS,
    Physique,
    forward_kinematics,
)

SIDES = ("left", "right")
ADULT = Physique(1.75, np.ones((len(BONES), 3)), belly=0.0, bust=0.0)


def test_every_action_keeps_the_joint_limits():
    rng = np.random.default_rng(2)
    poses = [sample_pose(rng, VARIED.actions) for _ in range(600)]
    actions = {pose.action for pose in poses}
    assert {
        "standing", "walking", "running", "sitting", "reaching", "crouching", "lying"
    } <= actions  # fmt: skip
    for pose in poses:
        assert (pose.angles >= JOINT_LIMITS[..., 0]).all(), pose.action
        assert (pose.angles <= JOINT_LIMITS[..., 1]).all(), pose.action
        np.testing.assert_allclose(pose.root @ pose.root.T, np.eye(3), atol=1e-9)


def test_raised_arms_lift_the_shoulder_girdle():
    pose = Pose("test")
    pose.arm("left", (0, 130, 0), 0)
    pose.arm("right", (45, 20, 0), 0)
    _lift_clavicles(pose)
    # A degree for every four beyond 50.
    assert pose.angles[BONE["left_clavicle"]].tolist() == [0, 20, 0]
    assert pose.angles[BONE["right_clavicle"]].tolist() == [0, 0, 0]


def joints(action, count=60):
    """Bone origins (count, 19, 3) of people doing one thing, and their poses."""
    rng = np.random.default_rng(5)
    poses = [sample_pose(rng, {action: 1.0}) for _ in range(count)]
    return np.array([forward_kinematics(ADULT, pose)[1] for pose in poses]), poses


def test_who_sits_on_a_seat_has_the_thighs_forward():
    origins, poses = joints("sit")
    assert {pose.action for pose in poses} == {"sitting"}
    assert all(pose.seat > 0 for pose in poses)
    for side in SIDES:
        thigh = origins[:, BONE[f"{side}_shank"]] - origins[:, BONE[f"{side}_thigh"]]
        assert (thigh[:, 2] > 0.6 * np.linalg.norm(thigh, axis=1)).all()


def test_who_stands_and_walks_is_upright_and_who_lies_is_not():
    for action, upright in (("stand", True), ("walk", True), ("lie", False)):
        origins, poses = joints(action)
        spine = origins[:, BONE["neck"]] - origins[:, BONE["pelvis"]]
        up = spine[:, 1] / np.linalg.norm(spine, axis=1)
        assert (up > 0.9).all() if upright else (np.abs(up) < 0.5).all(), action
        assert all(pose.seat is None for pose in poses)


def test_who_walks_swings_the_arm_of_the_leg_behind():
    origins, _ = joints("walk", 200)

    def ahead(bone):
        left, right = (origins[:, BONE[f"{side}_{bone}"], 2] for side in SIDES)
        return left - right

    opposite = ahead("foot") * ahead("forearm") < 0
    assert opposite.mean() > 0.6  # a third holds an arm otherwise
