"""Which matches are called close: similarities by hand."""

import numpy as np
import pytest

from distilpose_keras.benchmarks import scoring_set
from distilpose_keras.close_calls import any_close_call
from distilpose_keras.keypoints import COCO_17

SIGMAS = np.array([0.05, 0.05])
FAR = 1e6


def person(points=((10, 10), (20, 10)), flags=(2, 2), **fields):
    keypoints = np.concatenate([points, np.array(flags)[:, None]], axis=1)
    return {
        "image_id": 1,
        "keypoints": keypoints.ravel().tolist(),
        "bbox": [0, 0, 30, 30],
        "area": 400.0,
        **fields,
    }


def close(people, *points, images=None):
    points = np.array(points, float)
    images = np.ones(len(points), int) if images is None else np.array(images)
    return any_close_call(people, images, points, SIGMAS)


def test_half_of_the_keypoints_is_a_threshold():
    pose = [[10, 10], [FAR, 10]]  # similarity (1 + 0) / 2
    assert close([person()], pose)
    assert not close([person()], [[10, 10], [20, 10]])
    assert not close([person(flags=(2, 0))], pose)  # of the one labelled: 1
    assert not close([person(flags=(0, 2))], pose)  # of the other: 0
    assert not close([person(image_id=2)], pose)


@pytest.mark.parametrize("nudge", [0, 1e-9, -1e-9])
def test_a_similarity_beside_a_threshold_is_not_close(nudge):
    # exp(-d^2 / (2 s)^2 / area / 2) = 0.75 at both keypoints.
    distance = np.sqrt(-2 * 400 * 0.1**2 * np.log(0.75 + nudge))
    pose = np.array([[10, 10], [20, 10]]) + [0, distance]
    assert close([person()], pose) == (nudge == 0)


def test_two_people_alike_are_close():
    pose = np.array([[10.5, 10], [20.5, 10]])
    right = person(points=((11, 10), (21, 10)))
    assert close([person(), right], pose)
    assert not close([person(), right], pose + 0.01)
    assert not close([person(), {**right, "image_id": 2}], pose)
    # Far from both, neither matches.
    assert not close([person(), right], pose + [0, 50])


def test_regions_are_close_at_their_border_only():
    region = person(flags=(0, 0))
    inside = [[-29, 59], [59, -29]]
    assert not close([region, region], inside)
    assert close([region], [[60 + FAR, 0], [0, 0]])
    assert not close([region], [[60 + FAR, 0], [FAR, 0]])


def test_each_pose_is_compared_in_its_own_image():
    people = [person(image_id=n) for n in (3, 1, 3, 2)]
    people[2] = person(points=((100, 100), (200, 100)), image_id=3)
    exact, half = [[10, 10], [20, 10]], [[100, 100], [FAR, 0]]
    assert not close(people, exact, exact, half, images=[1, 3, 2])
    assert close(people, exact, exact, half, images=[1, 2, 3])


def test_areas_without_a_meaning_are_close():
    assert close([person(area=-400.0)], [[500, 500], [900, 900]])


def test_nothing_is_not_close():
    assert not any_close_call([], np.ones(1, int), np.zeros((1, 2, 2)), SIGMAS)
    assert not any_close_call([person()], np.ones(0, int), np.zeros((0, 2, 2)), SIGMAS)


def test_generated_poses_are_not_close():
    data = scoring_set.make_annotations(100)
    poses = scoring_set.make_poses(data, COCO_17.sigmas)
    people = data["annotations"]
    assert not any_close_call(people, poses.image_ids, poses.keypoints, COCO_17.sigmas)
