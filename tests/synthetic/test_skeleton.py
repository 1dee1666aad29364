"""Proportions, joint limits and the directions in which joints bend."""

import numpy as np
import pytest

from distilpose_keras.synthetic.actions import sample_pose
from distilpose_keras.synthetic.casting import VARIED
from distilpose_keras.synthetic.pose import Pose
from distilpose_keras.synthetic.skeleton import (
    BONE,
    BONES,
    JOINT_LIMITS,
    Physique,
    forward_kinematics,
    sample_physique,
)


def average_adult():
    return Physique(1.75, np.ones((len(BONES), 3)), belly=0.0, bust=0.0)


def distance(origins, a, b):
    return np.linalg.norm(origins[BONE[a]] - origins[BONE[b]])


# Winter, "Biomechanics and Motor Control of Human Movement", as a share of stature.
WINTER = {
    ("upper_arm", "forearm"): 0.186,
    ("forearm", "hand"): 0.146,
    ("thigh", "shank"): 0.245,
    ("shank", "foot"): 0.246,
}


@pytest.mark.parametrize("side", ["left", "right"])
def test_average_adult_has_winters_segment_lengths(side):
    rng = np.random.default_rng(0)
    _, origins = forward_kinematics(average_adult(), sample_pose(rng, VARIED.actions))
    for (upper, lower), share in WINTER.items():
        length = distance(origins, f"{side}_{upper}", f"{side}_{lower}")
        assert length == pytest.approx(1.75 * share, rel=1e-6)


def test_everybody_has_human_and_symmetric_segments():
    rng = np.random.default_rng(1)
    for _ in range(200):
        physique, pose = sample_physique(rng), sample_pose(rng, VARIED.actions)
        assert 0.95 <= physique.stature <= 2.0
        _, origins = forward_kinematics(physique, pose)
        for (upper, lower), share in WINTER.items():
            left = distance(origins, f"left_{upper}", f"left_{lower}")
            right = distance(origins, f"right_{upper}", f"right_{lower}")
            assert left == pytest.approx(right, rel=1e-6)
            assert left / physique.stature == pytest.approx(share, rel=0.16)


def test_limits_forbid_what_joints_cannot_do():
    def limit(bone, column):
        return JOINT_LIMITS[BONE[bone], column]

    for side in ("left", "right"):
        assert limit(f"{side}_forearm", 0)[0] == 0  # elbows do not bend backwards
        assert limit(f"{side}_shank", 0)[0] == 0  # nor knees forwards
        assert limit(f"{side}_shank", 0)[1] <= 150
    # The face turns by less than a right angle from the chest.
    assert limit("neck", 2)[1] + limit("head", 2)[1] < 90


def bent(bone, **angles):
    pose = Pose("test")
    pose.set(bone, **angles)
    return forward_kinematics(average_adult(), pose)[1]


@pytest.mark.parametrize("side, outwards", [("left", 1), ("right", -1)])
def test_joints_bend_the_human_way(side, outwards):
    straight = forward_kinematics(average_adult(), Pose("test"))[1]
    hand, foot = BONE[f"{side}_hand"], BONE[f"{side}_foot"]
    elbow = bent(f"{side}_forearm", flexion=90)
    assert elbow[hand, 2] > straight[hand, 2] + 0.2  # the hand comes forward
    knee = bent(f"{side}_shank", flexion=90)
    assert knee[foot, 2] < straight[foot, 2] - 0.3  # the foot goes back
    hip = bent(f"{side}_thigh", flexion=90)
    assert hip[foot, 2] > straight[foot, 2] + 0.6
    raised = bent(f"{side}_upper_arm", sideways=90)
    assert outwards * (raised[hand, 0] - straight[hand, 0]) > 0.5
    assert raised[hand, 1] > straight[hand, 1] + 0.5


def test_left_is_the_persons_own_left():
    origins = forward_kinematics(average_adult(), Pose("test"))[1]
    for name in ("upper_arm", "hand", "thigh", "foot"):
        # Looking along +z with y up, +x is to the left.
        assert origins[BONE[f"left_{name}"], 0] > 0 > origins[BONE[f"right_{name}"], 0]
