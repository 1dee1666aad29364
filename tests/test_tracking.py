"""PoseTracker: numbers, following without a finder, and what is refused."""

import numpy as np
import pytest

from distilpose_keras.keypoints import COCO_17
from distilpose_keras.predictor import PoseResult
from distilpose_keras.tracking import PoseTracker

IMAGE = np.zeros((240, 640, 3), np.uint8)
SHAPE = np.random.default_rng(0).uniform((0, 0), (50, 150), (17, 2))


class World:
    """Finder and predictor that know where the people are."""

    schema = COCO_17

    def __init__(self, people):
        self.people, self.looks, self.crops = people, 0, 0
        self.noise = np.random.default_rng(1)
        self.trembles = 0.0

    def boxes(self):
        low = np.array([p.min(0) for p in self.people]).reshape(-1, 2)
        high = np.array([p.max(0) for p in self.people]).reshape(-1, 2)
        return np.concatenate([low - 5, high - low + 10], axis=1)

    def find(self, image):
        self.looks += 1
        return self.boxes(), np.full(len(self.people), 0.9)

    def predict(self, image, boxes, *, flip=False):
        """The person whose middle is in the middle of the box, if there is one."""
        self.crops += len(boxes)
        keypoints, scores = np.zeros((len(boxes), 17, 2)), np.zeros((len(boxes), 17))
        for n, (left, top, width, height) in enumerate(boxes):
            middle = np.array([left + width / 2, top + height / 2])
            away = [
                np.linalg.norm((p.min(0) + p.max(0)) / 2 - middle) for p in self.people
            ]
            if away and min(away) < 30:
                keypoints[n] = self.people[int(np.argmin(away))]
                keypoints[n] += self.noise.normal(0, 1, (17, 2)) * self.trembles
                scores[n] = 0.9
        return PoseResult(keypoints, scores)


def walk(tracker, world, frames, *positions):
    """Let people walk; positions are functions of the frame."""
    found = []
    for n in range(frames):
        places = [place(n) for place in positions]
        world.people = [SHAPE + (x, 40) for x in places if x is not None]
        found.append(tracker.update(IMAGE))
    return found


@pytest.mark.parametrize("every", [1, 5])
def test_people_are_found_every_nth_frame_and_followed_in_between(every):
    world = World([])
    tracker = PoseTracker(world, world, detect_every=every)
    found = walk(tracker, world, 20, lambda n: 20 + 4 * n, lambda n: 500 - 3 * n)
    assert world.looks == 20 // every
    for n, people in enumerate(found):
        assert sorted(people.ids.tolist()) == [1, 2]
        first = people.keypoints[list(people.ids).index(1)]
        np.testing.assert_allclose(first, SHAPE + (20 + 4 * n, 40))
        assert people.boxes.shape == (2, 4) and (people.box_scores == 0.9).all()


def test_a_box_between_looks_is_as_the_finder_would_give_it():
    world = World([])
    tracker = PoseTracker(world, world, detect_every=10)
    *_, last = walk(tracker, world, 8, lambda n: 20 + 4 * n)
    np.testing.assert_allclose(last.boxes, world.boxes(), atol=1e-6)


def test_who_leaves_is_followed_no_more():
    world = World([])
    tracker = PoseTracker(world, world, detect_every=20)
    found = walk(tracker, world, 15, lambda n: 20, lambda n: 300 if n < 6 else None)
    assert [len(people) for people in found] == [2] * 6 + [1] * 9


def test_two_tracks_do_not_share_a_person():
    world = World([])
    tracker = PoseTracker(world, world, detect_every=50)
    # The second walks up to the first and vanishes there, as behind them.
    found = walk(
        tracker, world, 30, lambda n: 200, lambda n: 400 - 10 * n if n < 19 else None
    )
    assert len(found[10]) == 2
    assert [people.ids.tolist() for people in found[-5:]] == [[1]] * 5


def test_smoothing_calms_and_leaves_numbers_alone():
    shaken = {}
    for smooth in (False, True):
        world = World([])
        world.trembles = 2.0
        tracker = PoseTracker(world, world, smooth=smooth)
        found = walk(tracker, world, 40, lambda n: 200)
        points = np.array([people.keypoints[0] for people in found])
        shaken[smooth] = np.diff(points, axis=0).std()
        assert {tuple(people.ids) for people in found} == {(1,)}
        raw = tracker.tracks.alive[0].keypoints  # people are told apart unfiltered
        assert np.allclose(raw, points[-1]) is not smooth
    assert shaken[True] < 0.5 * shaken[False]


def test_boxes_of_the_callers_own_and_another_video():
    world = World([SHAPE + (100, 40)])
    tracker = PoseTracker(world, world)
    assert tracker.update(IMAGE, world.boxes()).ids.tolist() == [1]
    assert tracker.update(IMAGE, np.zeros((0, 4))).ids.tolist() == []
    assert world.looks == 0
    world.people = [SHAPE + (400, 40)]
    assert tracker.update(IMAGE, world.boxes(), [0.9]).ids.tolist() == [2]
    tracker.reset()
    assert tracker.update(IMAGE, world.boxes()).ids.tolist() == [1]


@pytest.mark.parametrize("options", [{"detect_every": 0}, {"fps": 0}])
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match="Received: 0"):
        PoseTracker(World([]), World([]), **options)
