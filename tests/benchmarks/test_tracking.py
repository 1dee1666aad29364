"""The tracking benchmark: the truth itself has all points, noise costs some."""

import json

import numpy as np
import pytest

from distilpose_keras.benchmarks import tracking
from tests.benchmarks.arguments import of


@pytest.fixture(scope="module")
def clip():
    return tracking._clip("cross", 60, 0, False)


def test_the_truth_has_all_points(clip, monkeypatch):
    for name in ("BOX_NOISE", "POINT_NOISE", "HIDDEN_NOISE", "NOBODY"):
        monkeypatch.setattr(tracking, name, 0.0)
    monkeypatch.setattr(tracking, "MISSED", 0.0)
    monkeypatch.setattr(tracking, "MISSED_HIDDEN", 0.0)
    quiet = [frame for frame in clip if len(frame.ids) == 4][:5]
    row = tracking.score([quiet], None, similarity="keypoints", detect_every=1)
    assert row["MOTA"] > 90 and row["switches"] == 0
    assert row["jitter_px"] < 0.5


def test_noise_trembles_and_the_filter_calms(clip):
    row = tracking.score([clip], None, similarity="keypoints", detect_every=1)
    calm = tracking.score(
        [clip], None, similarity="keypoints", detect_every=1, smooth=True
    )
    assert 50 < row["IDF1"] <= 100 and row["MOTA"] <= 100
    assert row["MOTA"] == calm["MOTA"] or abs(row["MOTA"] - calm["MOTA"]) < 3
    assert calm["jitter_px"] < 0.7 * row["jitter_px"]


def test_oks_of_people_with_themselves_is_one(clip):
    people = clip[0].keypoints
    np.testing.assert_allclose(np.diag(tracking.oks(people, people)), 1)
    assert tracking.oks(people, people + 1000).max() < 1e-6
    assert tracking.oks(people, people[:0]).shape == (len(people), 0)


@pytest.mark.slow
def test_all_ways_are_compared():
    rows = tracking.run(of("tracking", "--frames", 12, "--seeds", 1))
    assert {row.get("clip") for row in rows} == {*tracking.CLIPS, None}
    assert [row["detect_every"] for row in rows[-2:]] == [1, 5]
    json.dumps(rows)
