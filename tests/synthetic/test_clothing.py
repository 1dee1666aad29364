"""Clothes: of all colours, on both sides alike, and never over the face."""

import numpy as np
import pytest

from distilpose_keras.synthetic.clothing import sample_colour, sample_outfit
from distilpose_keras.synthetic.mesh import body_template


@pytest.fixture(scope="module")
def outfits():
    rng = np.random.default_rng(4)
    return [sample_outfit(rng) for _ in range(60)]


def faces(part):
    template = body_template()
    return template.part == template.parts.index(part)


def test_clothes_differ_from_person_to_person(outfits):
    torso = body_template().faces_of("torso")
    colours = np.array([outfit.colours[torso].mean(0) for outfit in outfits[:20]])
    assert np.ptp(colours, axis=0).min() > 80
    assert len({outfit.worn.sum() for outfit in outfits[:20]}) > 5


def test_colours_are_of_all_hues_and_some_are_grey():
    rng = np.random.default_rng(0)
    colours = np.array([sample_colour(rng) for _ in range(400)])
    assert colours.min() >= 0 and colours.max() <= 255
    assert set(colours.argmax(1)) == set(colours.argmin(1)) == {0, 1, 2}
    saturation = 1 - colours.min(1) / colours.max(1)
    assert 0.1 < np.mean(saturation < 0.2) < 0.5


@pytest.mark.parametrize("part", ["arm", "leg", "foot", "ear"])
def test_both_sides_are_dressed_alike(outfits, part):
    for outfit in outfits:
        left, right = faces(f"left_{part}"), faces(f"right_{part}")
        np.testing.assert_array_equal(outfit.weave[left], outfit.weave[right])
        np.testing.assert_array_equal(outfit.worn[left], outfit.worn[right])


def test_nothing_that_is_worn_hangs_over_the_eyes(outfits):
    template = body_template()
    x, y, z = template.middle.T
    before_eyes = (np.abs(x) < 0.03) & (np.abs(y - 0.4035) < 0.008) & (z > 0.03)
    hair = np.any([template.faces_of(name) for name in ("hair", "long_hair")], axis=0)
    assert (before_eyes & hair).any()  # the shell of hair goes all around
    for outfit in outfits:
        assert not outfit.worn[before_eyes & hair].any()


def test_a_skirt_is_worn_by_some_and_ends_at_one_height(outfits):
    template = body_template()
    skirt = template.faces_of("skirt")
    wearers = [outfit for outfit in outfits if outfit.worn[skirt].any()]
    assert 0 < len(wearers) < len(outfits) / 2
    for outfit in wearers:
        worn = template.middle[skirt & outfit.worn, 1]
        left_out = template.middle[skirt & ~outfit.worn, 1]
        assert worn.min() > left_out.max(initial=-1)


def test_cloth_is_never_thinner_than_skin(outfits):
    assert min(outfit.thickness.min() for outfit in outfits) == 1
    assert max(outfit.thickness.max() for outfit in outfits) < 1.5
