"""Frames of videos: all of them, upright, in time, and what is missing is said."""

import cv2
import numpy as np
import pytest

from distilpose_keras.video import reading
from distilpose_keras.video.mp4_times import set_frame_times
from distilpose_keras.video.reading import VideoFrames
from tests.video import clips


@pytest.mark.parametrize("fps", [211.22, 119.88, 1000, 29.97, 7.5])
def test_frames_have_the_times_of_their_rate(tmp_path, fps):
    path = clips.write_video(tmp_path / "a.mp4", range(20, 80, 4), fps=fps)
    frames = VideoFrames(path)
    read = list(frames)
    assert frames.expected == len(read) == 15 and frames.shortage is None
    assert frames.fps == pytest.approx(fps, rel=1e-4)
    expected = np.arange(15) / fps
    np.testing.assert_allclose([f.seconds for f in read], expected, atol=1e-5)


def test_uneven_times_are_read(tmp_path):
    path = clips.write_video(tmp_path / "a.mp4", range(20, 60, 4), fps=30)
    times = [0, 0.033, 0.1, 0.15, 0.9, 0.92, 1.0, 1.5, 1.52, 2]
    assert set_frame_times(path, times, 0.1)
    frames = VideoFrames(path)
    np.testing.assert_allclose([f.seconds for f in frames], times, atol=1e-4)
    assert frames.shortage is None


@pytest.mark.parametrize(
    ("matrix", "shape", "corner"),
    [
        (clips.UPRIGHT, (48, 64, 3), (0, 0)),
        (clips.TURNED_90, (64, 48, 3), (0, -1)),
        (clips.TURNED_180, (48, 64, 3), (-1, -1)),
        (clips.TURNED_270, (64, 48, 3), (-1, 0)),
    ],
)
def test_videos_of_phones_are_upright(tmp_path, matrix, shape, corner):
    path = clips.turn(clips.write_video(tmp_path / "a.mp4", [60] * 4), matrix)
    for frame in VideoFrames(path):
        assert frame.image.shape == shape
        assert frame.image[corner].min() > 200  # the white corner has turned clockwise
        opposite = tuple(-1 - index for index in corner)
        assert frame.image[opposite].max() < 120


def test_a_cut_matroska_says_about_how_much_is_missing(tmp_path):
    path = clips.write_video(tmp_path / "walk.mkv", range(20, 220, 4))
    frames = VideoFrames(path)
    assert len(list(frames)) == 50 and frames.shortage is None
    clips.cut(path)
    frames = VideoFrames(path)
    read = len(list(frames))
    assert 5 < read < 45
    assert frames.shortage.endswith(
        f"walk.mkv has about 50 frames, of which {read} can be read"
    )


def test_a_frame_rate_that_matroska_makes_up_is_no_shortage(tmp_path, monkeypatch):
    # Recorders in browsers say 1000 frames a second: their clock, not their frames.
    path = clips.write_video(tmp_path / "screen.mkv", range(20, 120, 4))
    monkeypatch.setattr(reading, "_rate", lambda capture: 1000.0)
    monkeypatch.setattr(reading, "_count", lambda capture: 2500)
    frames = VideoFrames(path)
    assert frames.expected == 2500
    assert len(list(frames)) == 25
    assert frames.shortage is None and frames.expected == 25


def test_a_damaged_frame_is_counted(tmp_path):
    path = clips.write_video(tmp_path / "walk.avi", range(20, 220, 4), "MJPG")
    frames = VideoFrames(clips.blank_frame(path))
    assert len({f.number for f in frames}) == 49
    assert frames.shortage.endswith("has 50 frames, of which 49 can be read")


def test_what_is_no_video_says_so_and_nothing_else(tmp_path, capfd):
    path = tmp_path / "walk.mp4"
    path.write_text("no video")
    frames = VideoFrames(path)
    assert list(frames) == []
    assert frames.shortage == f"no video can be read from {path}"
    empty = VideoFrames(clips.write_video(tmp_path / "empty.mp4", []))
    assert list(empty) == [] and "no video" in empty.shortage
    assert capfd.readouterr().err == ""


def test_a_camera_that_is_not_there_is_one_line(capfd):
    frames = VideoFrames(97)
    assert list(frames) == []
    assert frames.shortage == "no picture comes from camera 97"
    assert capfd.readouterr().err == ""


def test_a_camera_is_timed_by_the_clock(monkeypatch):
    class Camera:
        def __init__(self, number):
            assert number == 3

        def get(self, prop):
            return {cv2.CAP_PROP_FPS: 0.0}.get(prop, -1.0)

        def read(self):
            return True, np.full((48, 64, 3), (255, 0, 0), np.uint8)  # BGR

        def release(self):
            pass

    monkeypatch.setattr(cv2, "VideoCapture", Camera)
    clock = iter(range(100))
    monkeypatch.setattr(reading.time, "monotonic", lambda: next(clock))
    frames = VideoFrames(3, max_frames=4)
    read = list(frames)
    assert [f.seconds for f in read] == [1, 2, 3, 4]
    assert read[0].image[0, 0].tolist() == [0, 0, 255]
    assert frames.fps == 25 and frames.shortage is None and frames.expected == 4
