"""The camera against OpenCV's, and people where the camera looks."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from distilpose_keras.synthetic.casting import VARIED
from distilpose_keras.synthetic.scene import (
    Camera,
    _places,
    _sample_camera,
    _sample_person,
    sample_scene,
)

SIZE = (240, 320)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_points_are_projected_as_by_opencv(rng):
    for _ in range(10):
        camera, distance = _sample_camera(rng, SIZE, VARIED)
        points = rng.normal(0, 0.2 * distance, (30, 3))
        lens = np.array([[camera.focal, 0, 159.5], [0, camera.focal, 119.5], [0, 0, 1]])
        turn, _ = cv2.Rodrigues(camera.rotation)
        shift = -camera.rotation @ camera.position
        expected, _ = cv2.projectPoints(points, turn, shift, lens, None)
        in_front = camera.to_camera(points)[:, 2] > 0.1
        found = camera.to_pixels(camera.to_camera(points))
        assert in_front.sum() > 10
        np.testing.assert_allclose(found[in_front], expected[in_front, 0], atol=1e-6)


def test_a_place_on_the_ground_is_at_its_column_and_distance():
    # Level, looking along +x: +z is to the right.
    rotation = np.array([[0.0, 0, 1], [0, -1, 0], [1, 0, 0]])
    camera = Camera(rotation, np.array([1, 1.5, 2]), 300, SIZE)
    place = camera.ground_at(240, 6.0)
    # 80 pixels to the right of the middle.
    np.testing.assert_allclose(place, (7, 0, 2 + 6 * 80 / 300))
    assert camera.to_pixels(camera.to_camera(place))[0] == pytest.approx(239.5)


def test_somebody_standing_is_as_tall_in_the_picture_as_asked(rng):
    casting = replace(VARIED, heights=((0.5, 0.5),), height_odds=(1.0,))
    for _ in range(20):
        camera, distance = _sample_camera(rng, SIZE, casting)
        assert distance == pytest.approx(camera.focal * 1.7 / 120)
        assert np.hypot(*camera.position[[0, 2]]) == pytest.approx(distance)
        feet, head = camera.to_pixels(
            camera.to_camera(np.array([[0, 0, 0], [0, 1.7, 0.0]]))
        )
        # The tilt of the camera changes it a little.
        assert np.linalg.norm(feet - head) == pytest.approx(120, rel=0.2)
        assert feet[1] > head[1]


def test_people_stand_apart_and_as_many_as_the_odds_say(rng):
    camera, distance = _sample_camera(rng, SIZE, VARIED)
    three = replace(VARIED, people=(0.0, 0.0, 1.0))
    counts = []
    for _ in range(20):
        places = np.array(_places(rng, camera, distance, three))
        counts.append(len(places))
        apart = np.linalg.norm(places[:, None] - places, axis=-1)
        assert (apart[~np.eye(len(places), dtype=bool)] > 0.55).all()
        assert (places[:, 1] == 0).all()
    assert max(counts) == 3  # sometimes no room is found for the third
    assert np.mean(counts) > 2.5


def test_who_sits_has_a_seat_below_and_who_stands_has_none(rng):
    camera, _ = _sample_camera(rng, SIZE, VARIED)
    for action in ("sit", "stand"):
        casting = replace(VARIED, actions={action: 1.0})
        for _ in range(5):
            person, seat = _sample_person(rng, camera, (1, 0, 2), casting)
            np.testing.assert_allclose(person.position, (1, 0, 2), atol=1e-9)
            assert person.vertices[:, 1].min() == pytest.approx(0, abs=1e-4)
            assert (seat is not None) == (action == "sit")
            if seat is not None:
                middle = seat.faces.mean(1) - person.position
                under = np.linalg.norm(middle[:, [0, 2]], axis=1) < 0.12
                top = seat.faces[under, :, 1].max()
                hips = person.keypoints[11:13, 1].mean()
                assert 0 < hips - top < 0.15 * person.stature


def test_who_faces_the_camera_shows_the_front(rng):
    casting = replace(VARIED, actions={"walk": 1.0}, facing=1.0, facing_spread=0.0)
    for _ in range(5):
        scene = sample_scene(rng, SIZE, casting)
        person = scene.people[0]
        left, right = scene.camera.to_camera(person.keypoints[[5, 6]])
        assert left[0] > right[0]  # their left is on the picture's right
        assert np.linalg.norm(scene.light) == pytest.approx(1)
        assert scene.light[1] > 0  # from above
