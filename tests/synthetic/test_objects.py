"""Furniture: closed solids that stand where they are put."""

import numpy as np
import pytest

from distilpose_keras.synthetic import objects
from distilpose_keras.synthetic.skeleton import turn_about_y

PLACE = np.array([2.0, 0.0, -1.0])


def areas_and_volume(faces):
    """Vector areas (F, 3) of four-sided faces, and the volume that they enclose."""
    vectors = np.cross(faces[:, 2] - faces[:, 0], faces[:, 3] - faces[:, 1]) / 2
    return vectors, (vectors * faces.mean(1)).sum() / 3


def test_a_block_is_a_closed_box_between_its_corners():
    rng = np.random.default_rng(0)
    solid = objects.block(rng, (-1, 0, 2), (0.5, 0.7, 2.4), (90, 60, 30))
    low, high = solid.faces.min((0, 1)), solid.faces.max((0, 1))
    np.testing.assert_allclose(low, (-1, 0, 2))
    np.testing.assert_allclose(high, (0.5, 0.7, 2.4))
    vectors, volume = areas_and_volume(solid.faces)
    np.testing.assert_allclose(vectors.sum(0), 0, atol=1e-12)  # closed
    assert volume == pytest.approx(1.5 * 0.7 * 0.4)  # outward: positive
    sides = 2 * (1.5 * 0.7 + 0.7 * 0.4 + 0.4 * 1.5)
    assert np.linalg.norm(vectors, axis=1).sum() == pytest.approx(sides)
    assert solid.colours.shape == (len(solid.faces), 3)


@pytest.mark.parametrize("maker", [objects.box, objects.table])
def test_furniture_stands_on_the_ground_at_its_place(maker):
    for seed in range(10):
        rng = np.random.default_rng(seed)
        solid = maker(rng, PLACE, turn_about_y(30 * seed))
        assert solid.faces[..., 1].min() == pytest.approx(0)
        middle = (solid.faces.min((0, 1)) + solid.faces.max((0, 1))) / 2
        np.testing.assert_allclose(middle[[0, 2]], PLACE[[0, 2]], atol=1e-9)
        assert areas_and_volume(solid.faces)[1] > 0
        assert solid.colours.min() >= 0 and solid.colours.max() <= 255


def test_a_table_has_a_free_space_under_its_top():
    rng = np.random.default_rng(1)
    solid = objects.table(rng, (0, 0, 0), np.eye(3))
    top = solid.faces[..., 1].max()
    inside = (np.abs(solid.faces.mean(1)[:, [0, 2]]) < 0.2).all(1)
    assert solid.faces[inside, :, 1].min() == pytest.approx(top - 0.05)


def test_a_plant_grows_from_its_place():
    for seed in range(10):
        leaves = objects.plant(np.random.default_rng(seed), PLACE, np.eye(3)).faces
        assert np.abs(leaves[..., [0, 2]].mean((0, 1)) - PLACE[[0, 2]]).max() < 0.15
        assert leaves.mean(1)[:, 1].min() > 0


def test_a_chair_has_its_seat_under_the_hips_and_its_back_behind():
    backs = 0
    for seed in range(30):
        rng = np.random.default_rng(seed)
        # The person faces +x: their back is towards -x.
        solid = objects.chair(rng, PLACE, turn_about_y(90), 0.45, 1.7)
        faces = solid.faces - PLACE
        under = np.abs(faces.mean(1)[:, [0, 2]]).max(1) < 0.1
        assert faces[under, :, 1].max() == pytest.approx(0.45)
        above = faces[faces[..., 1].max(1) > 0.46]
        assert (above[..., 0] < -0.15).all()
        backs += len(above) > 0
    assert 0 < backs < 30  # stools and blocks have none
