"""Joint angles that are set together."""

import numpy as np
import pytest

from distilpose_keras.synthetic.pose import Pose, turn
from distilpose_keras.synthetic.skeleton import (
    BONE,
    BONES,
    Physique,
    forward_kinematics,
)

ADULT = Physique(1.75, np.ones((len(BONES), 3)), belly=0.0, bust=0.0)


@pytest.mark.parametrize("hip, knee", [(0, 0), (10, 30), (30, 10)])
def test_the_sole_of_a_bent_leg_stays_level(hip, knee):
    pose = Pose("test")
    pose.leg("left", hip=hip, knee=knee, abduction=0, rotation=0)
    orientations, _ = forward_kinematics(ADULT, pose)
    np.testing.assert_allclose(orientations[BONE["left_foot"]], np.eye(3), atol=1e-9)


def test_turns_are_about_x_z_and_y():
    np.testing.assert_allclose(turn(pitch=90) @ [0, 1, 0], [0, 0, 1], atol=1e-9)
    np.testing.assert_allclose(turn(roll=90) @ [1, 0, 0], [0, 1, 0], atol=1e-9)
    np.testing.assert_allclose(turn(spin=90) @ [0, 0, 1], [1, 0, 0], atol=1e-9)
