"""Light, colour and cut-outs."""

import numpy as np

from distilpose_keras.data.cutouts import GREY, CutoutsAndLight

IMAGES = np.random.default_rng(0).integers(0, 256, (8, 40, 30, 3)).astype(np.uint8)
STILL = {"contrast": 0, "brightness": 0, "cast": 0}


def test_nothing_asked_for_changes_nothing():
    change = CutoutsAndLight(**STILL, cutout_probability=0)
    np.testing.assert_array_equal(change(IMAGES, 1), IMAGES)


def test_the_seed_decides():
    change = CutoutsAndLight()
    np.testing.assert_array_equal(change(IMAGES, (1, 2)), change(IMAGES, (1, 2)))
    assert (change(IMAGES, (1, 2)) != change(IMAGES, (1, 3))).any()


def test_originals_are_left_alone():
    before = IMAGES.copy()
    CutoutsAndLight()(IMAGES, 1)
    np.testing.assert_array_equal(IMAGES, before)


def test_values_change_by_a_line_per_channel():
    """Of each image: grey + (value - grey) * a + b, a alike to within the cast."""
    change = CutoutsAndLight(contrast=0.3, brightness=0, cast=0.1, cutout_probability=0)
    for image, changed in zip(IMAGES, change(IMAGES, 3), strict=True):
        factors = []
        for channel in range(3):
            x = image[..., channel].ravel() - float(GREY)
            y = changed[..., channel].ravel() - float(GREY)
            unclipped = (changed[..., channel].ravel() % 255) != 0
            slope, shift = np.polyfit(x[unclipped], y[unclipped], 1)
            assert abs(shift) < 1
            factors.append(slope)
        assert 0.7 * 0.9 - 0.02 < min(factors) <= max(factors) < 1.3 * 1.1 + 0.02
        assert max(factors) / min(factors) < 1.1 / 0.9 + 0.02


def test_a_cut_out_is_one_grey_rectangle_of_limited_size():
    change = CutoutsAndLight(**STILL, cutout=0.5, cutout_probability=1)
    seen = 0
    for image, changed in zip(IMAGES, change(IMAGES, 4), strict=True):
        rows, columns = np.nonzero((image != changed).any(axis=-1))
        if not len(rows):
            continue
        seen += 1
        inside = changed[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        assert (inside == GREY).all()
        assert inside.shape[0] <= 0.5 * 40 + 1
        assert inside.shape[1] <= 0.5 * 30 + 1
    assert seen >= 6
