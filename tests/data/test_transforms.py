from dataclasses import replace

import numpy as np
import pytest

from distilpose_keras.data.transforms import (
    Augmentation,
    augment_pose,
    box_to_center_scale,
    choose_half_body,
    half_body_center_scale,
)
from distilpose_keras.keypoints import COCO_17


def test_boxes_give_the_published_centers_and_scales(parity):
    geometry = parity("geometry")
    center, scale = box_to_center_scale(geometry["boxes_xywh"])
    np.testing.assert_allclose(center, geometry["center"], atol=1e-4)
    np.testing.assert_allclose(scale, geometry["scale"], rtol=1e-7)


def test_one_box_gives_what_it_gives_among_others():
    boxes = np.array([[1.0, 2, 30, 40], [5, 6, 70, 20]])
    one = box_to_center_scale(boxes[1])
    for single, several in zip(one, box_to_center_scale(boxes), strict=True):
        np.testing.assert_array_equal(single, several[1])


def test_a_wide_box_is_heightened_to_the_aspect_ratio():
    center, scale = box_to_center_scale([100, 50, 150, 20], padding=1.0)
    np.testing.assert_allclose(center, [175, 60])
    np.testing.assert_allclose(scale * 200, [150, 200], rtol=1e-6)


def test_boxes_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"\(\.\.\., 4\).*\(3, 5\)"):
        box_to_center_scale(np.zeros((3, 5)))


def test_half_bodies_are_the_published_ones(parity):
    geometry = parity("geometry")
    # The reference files each half under the name of the other one.
    for prefer_upper, name in ((True, "lower"), (False, "upper")):
        for n, expected in enumerate(geometry[f"half_body_{name}_cs"]):
            selected = choose_half_body(geometry["visible"][n], COCO_17, prefer_upper)
            center, scale = half_body_center_scale(geometry["joints"][n], selected)
            np.testing.assert_allclose([*center, *scale], expected, rtol=1e-6)


def test_a_half_with_too_few_joints_gives_way_to_the_other():
    visible = np.zeros(17)
    visible[[0, 5, 11, 12, 13]] = 1  # two upper joints, three lower ones
    assert choose_half_body(visible, COCO_17, True) == [11, 12, 13]
    assert choose_half_body(visible, COCO_17, False) == [11, 12, 13]
    assert choose_half_body(np.eye(17)[0], COCO_17, True) is None


def draw(augmentation, seed, visible=17):
    rng = np.random.default_rng(seed)
    keypoints = np.random.default_rng(1).uniform(20, 120, (17, 2))
    visibility = np.arange(17) < visible
    box = np.array([20, 20, 100, 100.0])
    center, scale = box_to_center_scale(box)
    drawn = augment_pose(
        rng, center, scale, keypoints, visibility, box, COCO_17, augmentation
    )
    return center, scale, drawn


def test_no_augmentation_leaves_the_crop_alone():
    for seed in range(20):
        center, scale, drawn = draw(Augmentation.none(), seed)
        np.testing.assert_array_equal(drawn[0], center)
        np.testing.assert_array_equal(drawn[1], scale)
        assert drawn[2:] == (0.0, False)


def test_the_protocol_s_rates_and_bounds():
    # Eight visible joints: too few for half bodies, so that center and scale show
    # jitter and zoom alone.
    draws = [draw(Augmentation(), seed, visible=8) for seed in range(3000)]
    shifts = np.array([drawn[0] - center for center, _, drawn in draws])
    zooms = np.array([(drawn[1] / scale)[0] for _, scale, drawn in draws])
    rotations = np.array([drawn[2] for _, _, drawn in draws])
    flips = np.array([drawn[3] for _, _, drawn in draws])
    assert abs(np.mean(np.any(shifts != 0, axis=1)) - 0.3) < 0.03
    assert 18 < np.abs(shifts).max() <= 20.001  # 20% of a box of 100 pixels
    assert zooms.min() >= 0.65 - 1e-6 and zooms.max() <= 1.35 + 1e-6
    # A normal is beyond one deviation on either side 16% of the time.
    assert abs(np.mean(zooms > 1.3499) - 0.16) < 0.03
    assert abs(np.mean(rotations != 0) - 0.6) < 0.03
    assert np.abs(rotations).max() == 90
    assert abs(np.std(rotations[rotations != 0]) - 45) < 3
    assert abs(np.mean(flips) - 0.5) < 0.03


def test_half_bodies_come_at_their_rate():
    only = Augmentation(0.0, 0.3, 8, 0.0, 0.0, 0.0, 0.0, 0.0)
    centers = [draw(only, seed)[2][0] for seed in range(2000)]
    kinds, counts = np.unique(np.round(centers, 3), axis=0, return_counts=True)
    assert len(kinds) == 3  # whole, upper, lower
    rates = np.sort(counts) / 2000
    np.testing.assert_allclose(rates, [0.3 * 0.31, 0.3 * 0.69, 0.7], atol=0.03)


def drawn(seed, augmentation):
    """Center, scale, rotation and flip that a seed draws for one person."""
    box = np.array([20.0, 30, 60, 120])
    center, scale = box_to_center_scale(box)
    keypoints = np.random.default_rng(0).uniform(30, 80, (17, 2)).astype("float32")
    return augment_pose(
        np.random.default_rng(seed),
        center,
        scale,
        keypoints,
        np.full(17, 2),
        box,
        COCO_17,
        augmentation,
    )


def test_people_turn_by_any_angle_if_asked():
    augmentation = replace(Augmentation.none(), upside_down_probability=1.0)
    rotations = [drawn(seed, augmentation)[2] for seed in range(200)]
    assert -180 <= min(rotations) < -160
    assert 160 < max(rotations) <= 180
    # All angles alike: a quarter of them in each quadrant, 50 +- 3 deviations.
    counts, _ = np.histogram(rotations, bins=4, range=(-180, 180))
    assert counts.min() > 50 - 3 * 6.2


def test_turning_by_any_angle_leaves_other_draws_alone():
    plain = [drawn(seed, Augmentation()) for seed in range(50)]
    half = replace(Augmentation(), upside_down_probability=0.5)
    turned = [drawn(seed, half) for seed in range(50)]
    same_turn = 0
    for one, other in zip(plain, turned, strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])
        assert one[3] == other[3]
        same_turn += one[2] == other[2]
    assert 12 <= same_turn <= 38
