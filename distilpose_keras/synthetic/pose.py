"""The pose of a synthetic person: joint angles, and what they rest on."""

from dataclasses import dataclass, field

import numpy as np

from distilpose_keras.synthetic.skeleton import BONE, BONES, rotations

SIDES = ("left", "right")


def turn(pitch=0.0, roll=0.0, spin=0.0):
    """Return the (3, 3) rotation of three angles in degrees."""
    return rotations(np.array([[pitch, roll, spin]]))[0]


@dataclass
class Pose:
    """The joint angles of one person and what they rest on.

    Attributes:
        action: name of the action it was drawn from.
        angles: (19, 3) degrees per bone: flexion, sideways, twist (see `skeleton`).
        root: (3, 3) orientation of the pelvis, before the person is turned to
            face some way.
        seat: None, or the fraction of stature between the hip joints and the seat.
    """

    action: str
    angles: np.ndarray = field(default_factory=lambda: np.zeros((len(BONES), 3)))
    root: np.ndarray = field(default_factory=lambda: np.eye(3))
    seat: float | None = None

    def set(self, bone, flexion=0.0, sideways=0.0, twist=0.0):
        """Set the angles of one bone, in degrees."""
        self.angles[BONE[bone]] = flexion, sideways, twist

    def leg(self, side, *, hip, knee, abduction=4.0, rotation=-8.0, ankle=None):
        """Set one leg; without ``ankle`` the sole stays level under an upright root."""
        level = np.clip(knee - hip, -35, 25)
        self.set(f"{side}_thigh", hip, abduction, rotation)
        self.set(f"{side}_shank", knee)
        self.set(f"{side}_foot", level if ankle is None else ankle)

    def arm(self, side, shoulder, elbow, forearm=10.0):
        """Set one arm: shoulder (flexion, abduction, rotation) and elbow flexion."""
        self.set(f"{side}_upper_arm", *shoulder)
        self.set(f"{side}_forearm", elbow, 0.0, forearm)
