"""Videos that are written: every rate, uneven times, full disks."""

import resource
import signal

import numpy as np
import pytest

from distilpose_keras.video import writing
from distilpose_keras.video.reading import VideoFrames
from distilpose_keras.video.writing import VideoFile, fit
from tests.video.clips import seconds_of


def frame(value=90, size=(48, 64)):
    noise = np.random.default_rng(value).integers(-20, 20, (*size, 3))
    return (noise + value).astype(np.uint8)


def write(path, times, fps=30.0):
    video = VideoFile(path, fps, (64, 48))
    for number, seconds in enumerate(times):
        video.write(frame(40 + 4 * number), seconds)
    video.close()
    return path


def test_uneven_times_are_those_of_the_file(tmp_path):
    times = [5.0, 5.04, 5.3, 5.31, 6.0, 8.5]  # begins later: a file begins at 0
    path = write(tmp_path / "a.mp4", times)
    np.testing.assert_allclose(seconds_of(path), np.array(times) - 5, atol=1e-4)
    means = [f.image.mean() for f in VideoFrames(path)]
    np.testing.assert_allclose(means, 40 + 4 * np.arange(6), atol=5)


def test_even_times_are_left_to_the_frame_rate(tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "set_frame_times", None)  # never called
    times = np.arange(8) / 30 + [0, 0.01, 0, -0.01, 0, 0.005, 0, 0]
    path = write(tmp_path / "a.mp4", times)
    np.testing.assert_allclose(seconds_of(path), np.arange(8) / 30, atol=1e-4)


def test_a_file_that_may_not_grow_is_kept_and_playable(tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, before[1]))
    try:
        video = VideoFile(tmp_path / "a.mp4", 25, (64, 48))
        with pytest.raises(OSError, match="no space left for .*a.mp4; it is kept with"):
            for number in range(10_000):
                video.write(frame(number % 200 + 20))
        video.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert number > 10
    frames = VideoFrames(tmp_path / "a.mp4")
    assert len(list(frames)) == number and frames.shortage is None


def test_no_room_at_all_leaves_no_file(tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "_room", lambda path: 1000)
    video = VideoFile(tmp_path / "a.mp4", 25, (64, 48))
    with pytest.raises(OSError, match="no space left for .*a.mp4$"):
        video.write(frame())
    with pytest.raises(OSError, match="cannot write .*a.mp4"):
        video.close()
    assert not list(tmp_path.iterdir())


def test_frames_that_could_not_be_stored_are_counted(tmp_path, monkeypatch):
    # As on a full disk, OpenCV is silent about what it could not store.
    monkeypatch.setattr(writing, "said_frames", lambda path: 2)
    with pytest.raises(OSError, match="a.mp4: 2 of 3 frames .* disk full"):
        write(tmp_path / "a.mp4", [0, 0.1, 0.2])
    assert (tmp_path / "a.mp4").exists()  # two are better than none
    monkeypatch.setattr(writing, "said_frames", lambda path: 0)
    with pytest.raises(OSError, match="b.mp4: 0 of 3 frames"):
        write(tmp_path / "b.mp4", [0, 0.1, 0.2])
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_pictures_of_another_size_are_fitted():
    image = np.full((20, 20, 3), 200, np.uint8)
    fitted = fit(image, (80, 40))
    assert fitted.shape == (40, 80, 3)
    assert (fitted[:, 20:60] == 200).all()
    assert (fitted[:, :20] == 0).all() and (fitted[:, 60:] == 0).all()
    assert fit(image, (20, 20)) is image
