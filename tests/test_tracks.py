"""Poses joined to tracks: crossing, unsure, lost and new people."""

import numpy as np
import pytest

from distilpose_keras.keypoints import COCO_17
from distilpose_keras.oks import keypoint_similarity
from distilpose_keras.tracks import Tracks, assign, box_similarity, overlaps

RNG = np.random.default_rng(0)
SHAPES = RNG.uniform((0, 0), (60, 160), (2, 17, 2))  # two people's poses


def person(n, left, top=50.0):
    return SHAPES[n] + (left, top)


def box_of(keypoints):
    low, high = keypoints.min(0), keypoints.max(0)
    return [*low, *(high - low)]


def join(tracks, poses, seconds, box_scores=None, scores=None):
    poses = np.array(poses).reshape(-1, 17, 2)
    boxes = np.array([box_of(pose) for pose in poses]).reshape(-1, 4)
    box_scores = np.ones(len(poses)) if box_scores is None else np.array(box_scores)
    scores = np.ones(poses.shape[:2]) if scores is None else scores
    return tracks.join(poses, scores, boxes, box_scores, seconds).tolist()


@pytest.fixture
def tracks():
    return Tracks(COCO_17.sigmas)


def test_people_keep_their_numbers_in_any_order(tracks):
    assert join(tracks, [person(0, 10), person(1, 300)], 0.0) == [1, 2]
    assert join(tracks, [person(1, 305), person(0, 15)], 0.04) == [2, 1]


def test_people_who_cross_are_told_apart_by_their_poses(tracks):
    for n in range(50):  # their boxes cover each other in the middle
        poses = [person(0, 8 * n), person(1, 400 - 8 * n)]
        order = [0, 1] if n % 2 else [1, 0]
        ids = join(tracks, [poses[i] for i in order], n / 25)
        if n == 0:
            first = dict(zip(order, ids, strict=True))
        assert dict(zip(order, ids, strict=True)) == first


def test_an_unsure_pose_goes_on_with_a_track_but_begins_none(tracks):
    assert join(tracks, [person(0, 10)], 0.0, [0.3]) == [0]
    assert join(tracks, [person(0, 10)], 0.04, [0.8]) == [1]
    assert join(tracks, [person(0, 12)], 0.08, [0.3]) == [1]
    assert join(tracks, [person(0, 12)], 0.12, [0.05]) == [0]


def test_who_was_hidden_returns_with_the_same_number(tracks):
    for n in range(10):
        join(tracks, [person(0, 10 + 2 * n)], n / 25)
    assert join(tracks, [], 0.6) == []
    assert join(tracks, [person(0, 10 + 2 * 25)], 1.0) == [1]
    assert join(tracks, [person(0, 60)], 4.0) == [2]  # too long ago


def test_somebody_elsewhere_is_somebody_else(tracks):
    assert join(tracks, [person(0, 10)], 0.0) == [1]
    assert join(tracks, [person(0, 310)], 0.04) == [2]


def test_keypoints_that_nobody_sees_do_not_count(tracks):
    scores = np.ones((1, 17))
    scores[0, 9:] = 0.0
    assert join(tracks, [person(0, 10)], 0.0) == [1]
    astray = person(0, 10)
    astray[9:] += 500
    alike = tracks._similarity(
        tracks, astray[None], scores, np.array([box_of(person(0, 10))]), 0.0
    )
    assert alike[0, 0] == pytest.approx(1)


def test_similarity_is_that_of_coco_with_a_wider_tolerance(tracks):
    join(tracks, [person(0, 10)], 0.0)
    moved, box = person(0, 16), np.array([box_of(person(0, 10))])
    found = tracks._similarity(tracks, moved[None], np.ones((1, 17)), box, 0.0)
    expected = keypoint_similarity(
        moved[None], person(0, 10)[None], np.prod(box[:, 2:], 1), 2 * tracks.sigmas
    )
    assert found[0, 0] == pytest.approx(expected.mean())


def test_overlaps_by_hand():
    boxes = np.array([[0, 0, 10, 10], [20, 20, 5, 5.0]])
    others = np.array([[5, 0, 10, 10], [0, 0, 10, 10], [90, 0, 1, 1.0]])
    expected = [[50 / 150, 1, 0], [0, 0, 0]]
    np.testing.assert_allclose(overlaps(boxes, others), expected)


def test_boxes_can_stand_for_poses():
    tracks = Tracks(COCO_17.sigmas, similarity=box_similarity)
    assert join(tracks, [person(0, 10)], 0.0) == [1]
    assert join(tracks, [person(0, 14)], 0.04) == [1]
    assert join(tracks, [], 0.08) == []


def test_pairs_have_the_greatest_sum_and_the_least_similarity():
    alike = np.array([[0.9, 0.8, 0], [0.85, 0.1, 0], [0, 0, 0.3]])
    everyone = np.ones(3, bool)
    assert assign(alike, everyone, everyone, 0.4) == [(0, 1), (1, 0)]
    assert assign(alike, np.array([1, 0, 1], bool), everyone, 0.2) == [(0, 0), (2, 2)]
