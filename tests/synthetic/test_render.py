"""Which face a pixel shows, and the light on it."""

from types import SimpleNamespace

import numpy as np
import pytest

from distilpose_keras.synthetic import render
from distilpose_keras.synthetic.objects import Solid
from distilpose_keras.synthetic.scene import Camera, Scene

# At the origin, looking along -z.
CAMERA = Camera(np.diag([1.0, -1.0, -1.0]), np.zeros(3), 100.0, (60, 80))
UP = np.array([0.0, 1.0, 0.0])


def square(depth, half, colour=(200, 100, 50), middle=0.0):
    """A square that turns to the camera."""
    x = np.array([-1, 1, 1, -1]) * half + middle
    y = np.array([-1, -1, 1, 1]) * half
    corners = np.stack([x, y, np.full(4, -depth)], 1)
    return Solid(corners[None], np.array([colour], float))


def turned(solid):
    return Solid(solid.faces[:, ::-1], solid.colours)


def mapped(*solids, light=UP):
    return render.map_faces(Scene(CAMERA, [], list(solids), light))


def test_the_nearer_face_is_shown():
    near, far = square(2, 0.1, (1, 2, 3)), square(4, 0.6, (4, 5, 6))
    for solids in ((near, far), (far, near)):
        faces = mapped(*solids)
        shown = faces.index[60, 80]  # the middle, at twice the picture's resolution
        assert faces.depth[shown] == pytest.approx(2)
        assert faces.albedo[shown].tolist() == [1, 2, 3]
        # The far one reaches 15 pixels from the middle, the near one 5.
        beside = faces.index[60, 80 + 20]
        assert faces.depth[beside] == pytest.approx(4)
        assert faces.index[60, 80 + 40] == 0
        assert faces.depth[0] == np.inf
        assert set(faces.owner) == {render.SOLID}


def test_a_face_covers_its_projection():
    faces = mapped(square(2, 0.2))
    rows, columns = faces.index.nonzero()
    # 10 pixels around (39.5, 29.5), where pixel 0 of the map is the first half of
    # pixel 0 of the picture: 20 around 79.5 and 59.5.
    assert (columns.min(), columns.max()) == pytest.approx((60, 99), abs=1)
    assert (rows.min(), rows.max()) == pytest.approx((40, 79), abs=1)
    top, bottom, left, right = faces.window
    assert top <= 20 < 40 <= bottom and left <= 30 < 50 <= right
    assert bottom - top < 30 and right - left < 30


def test_backs_and_what_is_behind_the_camera_are_not_shown():
    assert mapped(square(2, 0.2)).index.any()
    for solid in (turned(square(2, 0.2)), square(-2, 0.2), square(0.2, 0.02)):
        faces = mapped(solid)
        assert not faces.index.any()
        assert faces.window == (0, 0, 0, 0)


def test_light_falls_by_the_cosine():
    def shade(degrees):
        angle = np.radians(degrees)
        # The square's normal is +z; the light comes from an angle to it.
        light = np.array([np.sin(angle), 0, np.cos(angle)])
        return float(mapped(square(2, 0.2), light=light).shade[1])

    dark = shade(90)
    assert shade(60) - dark == pytest.approx((shade(0) - dark) / 2)
    assert shade(0) > dark
    assert shade(150) == pytest.approx(dark)  # from behind


def test_what_looks_up_is_lighter_than_what_looks_down():
    light = np.array([1.0, 0.0, 0.0])  # beside both
    corners = np.array([[-0.3, 0, -2], [0.3, 0, -2], [0.3, 0, -3], [-0.3, 0, -3.0]])
    below = Solid(corners[None] - (0, 0.5, 0), np.ones((1, 3)))  # its top is seen
    above = Solid(corners[None, ::-1] + (0, 0.5, 0), np.ones((1, 3)))
    assert mapped(below, light=light).shade[1] > mapped(above, light=light).shade[1]


def test_a_lit_face_has_its_own_colour_and_the_rest_stays():
    faces = mapped(square(2, 0.2))
    faces.shade[1], faces.weave[1] = 1.0, 0.0
    image = np.full((60, 80, 3), 77, np.uint8)
    render._light_and_colour(np.random.default_rng(0), image, faces, seed=0)
    np.testing.assert_allclose(
        image[25:35, 35:45], [[(200, 100, 50)] * 10] * 10, atol=4
    )
    image[faces.index[::2, ::2] > 0] = 77
    image[19:41, 29:51] = 77  # the blended border
    assert (image == 77).all()


def test_shadows_fall_away_from_the_light():
    # From above: picture x is world x, picture y is world -z.
    rotation = np.array([[1.0, 0, 0], [0, 0, -1], [0, -1, 0]])
    camera = Camera(rotation, np.array([0, 10.0, 0]), 200.0, (240, 320))
    bones = np.zeros((19, 3))
    bones[:, 1] = np.linspace(0.2, 1.7, 19)
    light = np.array([0.6, 0.8, 0])  # from the right
    image = np.full((240, 320, 3), 200, np.uint8)
    scene = Scene(camera, [SimpleNamespace(bones=bones)], [], light)
    render._draw_shadows(image, scene)
    rows, columns = (image[..., 0] < 190).nonzero()
    # A point 1.7 m high is shaded 1.7 * 0.6 / 0.8 m to the left, 20 pixels a metre.
    assert columns.min() == pytest.approx(159.5 - 25.5, abs=12)
    assert columns.max() < 165
    assert abs(rows.mean() - 119.5) < 2
    assert image.max() == 200
