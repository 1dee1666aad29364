"""The tables of the body's surface hold together."""

import numpy as np
import pytest

from distilpose_keras.synthetic.anatomy import HEAD_RINGS, TUBES


@pytest.mark.parametrize("tube", TUBES.values(), ids=TUBES)
def test_rings_follow_each_other_and_bones_meet_between_them(tube):
    positions = np.array(tube.rings)[:, 0]
    steps = np.diff(positions)
    assert (steps > 0).all() or (steps < 0).all()
    assert len(tube.joints) == len(tube.bones) - 1
    for joint in tube.joints:
        assert positions.min() < joint < positions.max()
    assert (np.array(tube.rings)[:, 1:3] > 0).all()  # half-widths and half-depths


def test_lengths_are_fractions_of_stature():
    """From the crown to the soles it is one."""
    crown = max(ring[0] for ring in HEAD_RINGS)
    soles = min(ring[4] - ring[2] for ring in TUBES["foot"].rings)
    assert crown - soles == pytest.approx(1, abs=0.01)


def test_limbs_have_mirror_images_and_trunk_and_head_do_not():
    paired = {name for name, tube in TUBES.items() if tube.paired}
    assert paired == {"ear", "arm", "hand", "thumb", "leg", "foot"}
    assert all(tube.x > 0 for name, tube in TUBES.items() if name in paired)
    assert all(tube.x == 0 for name, tube in TUBES.items() if name not in paired)
