"""Frame times in MP4 files, as OpenCV reads them."""

import numpy as np

from distilpose_keras.video.mp4_times import set_frame_times
from tests.video.clips import seconds_of, write_video


def test_times_are_read_back(tmp_path):
    path = write_video(tmp_path / "a.mp4", range(20, 120, 10), fps=25)
    times = np.cumsum(np.random.default_rng(0).uniform(0.001, 0.5, 10))
    assert set_frame_times(path, times, 0.04)
    np.testing.assert_allclose(seconds_of(path), times - times[0], atol=2e-5)


def test_other_files_are_left_alone(tmp_path):
    times = np.arange(10) / 7
    for path in (
        write_video(tmp_path / "a.avi", range(20, 120, 10), "MJPG"),
        write_video(tmp_path / "b.mkv", range(20, 120, 10)),
        write_video(tmp_path / "c.mp4", range(20, 110, 10)),  # nine frames, not ten
    ):
        before = path.read_bytes()
        assert not set_frame_times(path, times, 0.1)
        assert path.read_bytes() == before
    whole = write_video(tmp_path / "d.mp4", range(20, 120, 10))
    whole.write_bytes(whole.read_bytes() + b"\0\0\0\x08free")  # the index is not last
    assert not set_frame_times(whole, times, 0.1)
