"""Backgrounds: seamless textures and a ground that follows the camera."""

import numpy as np
import pytest

from distilpose_keras.synthetic import backgrounds
from distilpose_keras.synthetic.casting import VARIED
from distilpose_keras.synthetic.scene import Camera, _sample_camera


@pytest.mark.parametrize("cells", [(2, 4), (16, 32)])
def test_noise_tiles_without_a_seam(cells):
    noise = backgrounds._octaves(np.random.default_rng(0), cells)
    assert noise.shape == (512, 512)
    assert (noise.min(), noise.max()) == (0, 1)
    for axis in (0, 1):
        inside = np.abs(np.diff(noise, axis=axis)).max()
        seam = np.abs(noise.take(0, axis) - noise.take(-1, axis)).max()
        assert seam <= 1.1 * inside


def test_a_tint_goes_from_dark_to_light():
    values = np.array([[0.0, 0.5, 1.0]])
    found = backgrounds._tint(values, (10, 20, 30), (110, 220, 130))
    assert found.tolist() == [[[10, 20, 30], [60, 120, 80], [110, 220, 130]]]


@pytest.mark.parametrize("height, width", [(2, 3), (9, 13)])
def test_a_crop_is_a_window_of_the_repeated_tile(height, width):
    rows, columns = np.mgrid[:4, :6]
    tile = np.stack([rows, columns], -1)
    mirrored = set()
    for seed in range(8):
        window = backgrounds.crop(np.random.default_rng(seed), tile, height, width)
        assert window.shape == (height, width, 2)
        step = np.diff(window[0, :, 1])[0] % 6
        mirrored.add(step == 5)
        i, j = np.mgrid[:height, :width]
        first = window[0, 0]
        np.testing.assert_array_equal(window[..., 0], (first[0] + i) % 4)
        np.testing.assert_array_equal(window[..., 1], (first[1] + j * step) % 6)
    assert mirrored == {False, True}


def test_the_horizon_is_where_level_lines_of_sight_end():
    rng = np.random.default_rng(0)
    for _ in range(20):
        camera, _ = _sample_camera(rng, (240, 320), VARIED)
        # The level direction that is seen in the middle column.
        direction = np.cross(camera.rotation[0], (0, 1, 0))
        direction *= np.sign(camera.rotation[2] @ direction)
        column, row = camera.to_pixels(camera.rotation @ direction)
        assert column == pytest.approx(159.5)
        # Rows of the image begin half a pixel before the middle of the first.
        assert backgrounds._horizon(camera) == pytest.approx(row + 0.5)


def test_the_ground_lies_in_perspective():
    # Ten metres up, looking level along -z.
    camera = Camera(np.diag([1.0, -1, -1]), np.array([0, 10.0, 0]), 100.0, (240, 320))
    stripes = np.zeros((512, 512, 3), np.uint8)
    stripes[:, :256] = 255  # along z, as wide as the gaps between them
    image = np.zeros((240, 320, 3), np.uint8)
    backgrounds._draw_ground(image, np.random.default_rng(0), camera, stripes, 140)
    assert not image[:140].any()

    def period(row):
        edges = np.flatnonzero(np.diff((image[row, :, 0] > 127).astype(int)) > 0)
        return np.diff(edges).mean()

    # The ground of a row lies 1000 metres away by rows below the horizon, 120: half
    # as far, twice as wide.
    assert period(235) == pytest.approx(2 * period(177), rel=0.1)


def test_the_same_seed_gives_the_same_picture():
    camera, _ = _sample_camera(np.random.default_rng(0), (120, 160), VARIED)
    images = [
        backgrounds.draw_background(np.random.default_rng(n), camera, 7)
        for n in (1, 1, 2)
    ]
    np.testing.assert_array_equal(images[0], images[1])
    assert (images[0] != images[2]).mean() > 0.5
    assert images[0].std() > 5
