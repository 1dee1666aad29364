"""Rendered clips: people where the plot has them, and the truth about them."""

import numpy as np
import pytest

from distilpose_keras.synthetic.clips import PLOTS, Plot, render_clip, walking

STILL = Plot((((0, 0, 0), (9, 0, 0)),))


def test_people_move_as_the_plot_says():
    plot = Plot((((0, -1, 0), (2, 1, 0)),))
    frames = list(render_clip(plot, frames=3, fps=1, pixels=False))
    hips = [frame.keypoints[0, 11:13, 0].mean() for frame in frames]
    # Five metres from the camera, 640 px of focal length: 128 px a metre.
    np.testing.assert_allclose(hips, [320 - 128, 320, 320 + 128], atol=12)
    assert [frame.seconds for frame in frames] == [0, 1, 2]
    assert all(frame.image is None for frame in frames)


def test_those_who_leave_and_hide_are_not_there():
    gone = [f.ids.tolist() for f in render_clip(PLOTS["leave"], frames=8, fps=1)]
    assert 0 in gone[0] and 0 not in gone[3] and 0 in gone[6]
    assert 2 not in gone[0] and 2 in gone[7]
    hidden = [
        f.ids.tolist()
        for f in render_clip(PLOTS["hide"], frames=80, fps=10, pixels=False)
    ]
    assert [] in [sorted(set(ids) & {0}) for ids in hidden[15:30]]
    assert 0 in hidden[0] and 0 in hidden[39]


def test_the_camera_pans():
    plot = Plot(STILL.paths, pan=5.0, pan_seconds=4.0)
    middle, turned = (
        frame.keypoints[0, :, 0].mean()
        for frame in render_clip(plot, frames=2, fps=1, pixels=False)
    )
    assert abs(turned - middle) == pytest.approx(640 * np.tan(np.radians(5)), abs=8)


def test_boxes_hold_what_shows_and_pictures_show_it():
    (still,) = render_clip(STILL, frames=1)
    left, top, width, height = still.boxes[0]
    inside = still.keypoints[0][still.flags[0] == 2]
    assert len(inside) >= 12
    assert (inside >= (left - 3, top - 3)).all()
    assert (inside <= (left + width + 3, top + height + 3)).all()
    assert still.image.shape == (480, 640, 3) and still.image.dtype == np.uint8
    again = next(render_clip(STILL, frames=1))
    assert (again.image == still.image).all()


def test_steps_alternate():
    half, whole = walking(0.25, 1.0), walking(0.75, 1.0)
    names = ["left_thigh", "right_thigh"]
    from distilpose_keras.synthetic.skeleton import BONE

    left, right = (half.angles[BONE[name], 0] for name in names)
    assert left == pytest.approx(24) and right == pytest.approx(-24)
    assert whole.angles[BONE["left_thigh"], 0] == pytest.approx(-24)
    assert np.abs(walking(0.25, 0.0).angles[BONE["left_thigh"], 0]) < 1e-9
