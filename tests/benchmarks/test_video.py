"""The video benchmark measures what it says."""

import json

import pytest

from distilpose_keras.benchmarks import video
from distilpose_keras.video.reading import VideoFrames
from tests.benchmarks.arguments import of


def test_all_is_compared_with_the_slowest_stage():
    *stages, summary = video.rows([1.0, 4.0, 2.0, 0.5, 0.5, 5.0], 100)
    assert [row["stage"] for row in stages] == list(video.STAGES)
    assert stages[1] == {"stage": "find", "seconds": 4.0, "per_second": 25}
    assert summary["slowest_stage"] == "find"
    assert summary["ratio"] == 0.8 and summary["per_second"] == 20
    assert summary["one_after_the_other"] == 12.5 and summary["faster"] == 1.6


@pytest.mark.slow
def test_every_stage_is_timed(tmp_path):
    found = video.run(of("video", "--frames", 6, "--rounds", 1, "--finder", "none"))
    assert len(found) == 6 and found[-1]["frames"] == 6
    assert all(row["seconds"] >= 0 for row in found)
    json.dumps(found)


def test_the_clip_has_two_people_who_walk(tmp_path):
    path = video.write_clip(tmp_path / "clip.mp4", 5)
    frames = list(VideoFrames(path))
    assert len(frames) == 5
    assert frames[0].image.shape == (480, 640, 3)
    assert abs(frames[0].image.astype(int) - frames[-1].image).max() > 60
