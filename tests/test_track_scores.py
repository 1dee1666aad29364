"""MOTA, IDF1 and jitter, counted by hand."""

import numpy as np
import pytest

from distilpose_keras.track_scores import TrackScore, jitter


def scored(frames):
    """The score of frames given as dicts of person to track; None is nobody."""
    score = TrackScore()
    for pairs in frames:
        people = np.array([p for p, _ in pairs if p is not None])
        tracks = np.array([t for _, t in pairs if t is not None])
        alike = np.zeros((len(people), len(tracks)))
        for person, track in pairs:
            if person is not None and track is not None:
                alike[people == person, tracks == track] = 0.9
        score.add(people, tracks, alike)
    return score


def test_tracks_that_are_right_have_all():
    score = scored([[(1, 7), (2, 8)]] * 4)
    assert (score.mota, score.idf1) == (1, 1)


def test_misses_and_false_tracks_count():
    # Eight people in four frames: one missed, two tracks of nobody.
    frames = [[(1, 7), (2, 8)], [(1, 7), (2, None)]]
    frames += [[(1, 7), (2, 8), (None, 9)], [(1, 7), (2, 8), (None, 9)]]
    score = scored(frames)
    assert (score.missed, score.wrong, score.switches) == (1, 2, 0)
    assert score.mota == pytest.approx(1 - 3 / 8)
    assert score.idf1 == pytest.approx(2 * 7 / (8 + 9))


def test_people_who_change_tracks_count_once_and_cost_all_later_frames():
    score = scored([[(1, 7), (2, 8)]] * 3 + [[(1, 8), (2, 7)]] * 2)
    assert score.switches == 2
    assert score.mota == pytest.approx(1 - 2 / 10)
    assert score.idf1 == pytest.approx(6 / 10)


def test_a_track_that_still_fits_is_kept_though_another_fits_better():
    score = TrackScore()
    score.add(np.array([1]), np.array([7]), np.array([[0.9]]))
    score.add(np.array([1]), np.array([7, 8]), np.array([[0.6, 0.9]]))
    assert (score.switches, score.wrong) == (0, 1)


def test_nobody_is_no_error():
    score = TrackScore()
    score.add(np.zeros(0, int), np.zeros(0, int), np.zeros((0, 0)))
    assert (score.mota, score.idf1) == (1, 0)


def test_jitter_is_movement_that_the_truth_does_not_make():
    truth = np.arange(4.0)[:, None, None] * np.array([[[5.0, 0.0]]])
    assert jitter(truth + 3, truth) == 0
    shaken = truth + np.array([0, 1, 0, 1])[:, None, None] * np.array([[3.0, 4.0]])
    assert jitter(shaken, truth) == pytest.approx(5)
