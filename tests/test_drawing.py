"""Drawings: the right colors at the right pixels, nothing where nothing belongs."""

import numpy as np
import pytest

from distilpose_keras.drawing import (
    LEFT,
    MIDDLE,
    RIGHT,
    add_caption,
    draw_boxes,
    draw_poses,
    overlay_heatmaps,
    score_colors,
    side_by_side,
    side_colors,
)
from distilpose_keras.keypoints import COCO_17


@pytest.fixture
def image():
    return np.full((200, 160, 3), 70, np.uint8)


def pose():
    """A person whose keypoints lie far enough apart to tell them from each other."""
    index = np.arange(17)
    return np.stack([20 + 30 * (index % 5), 20 + 40 * (index // 5)], axis=1) + 0.0


def test_keypoints_have_the_color_of_their_side(image):
    drawn = draw_poses(image, [pose()], np.ones((1, 17)), COCO_17)
    for name, color in (("left_eye", LEFT), ("right_eye", RIGHT), ("nose", MIDDLE)):
        x, y = pose()[COCO_17.names.index(name)].astype(int)
        np.testing.assert_array_equal(drawn[y, x], color)
    assert (image == 70).all()  # the original stays


def test_flipping_a_person_exchanges_the_colors():
    colors = side_colors(COCO_17)
    mirrored = colors[COCO_17.flip_permutation]
    exchange = {LEFT: RIGHT, RIGHT: LEFT, MIDDLE: MIDDLE}
    assert [exchange[tuple(c)] for c in colors.tolist()] == [
        tuple(c) for c in mirrored.tolist()
    ]


def test_doubtful_keypoints_and_their_limbs_are_left_out(image):
    scores = np.zeros((1, 17))
    assert (draw_poses(image, [pose()], scores, COCO_17) == image).all()
    scores[0, 5] = 0.9
    drawn = draw_poses(image, [pose()], scores, COCO_17)
    x, y = pose()[5].astype(int)
    changed = np.argwhere((drawn != image).any(axis=-1))
    assert len(changed)
    assert np.abs(changed - (y, x)).max() < 12


def test_keypoints_outside_the_image_and_their_limbs_are_left_out(image):
    """A knee below the picture, whatever its score, draws no thigh to the edge."""
    points, scores = pose(), np.zeros((1, 17))
    hip, knee = COCO_17.names.index("left_hip"), COCO_17.names.index("left_knee")
    scores[0, [hip, knee]] = 0.9
    points[knee] = [80, 199.6]  # the last row of pixels ends at 199.5
    drawn = draw_poses(image, [points], scores, COCO_17)
    scores[0, knee] = 0
    np.testing.assert_array_equal(drawn, draw_poses(image, [points], scores, COCO_17))
    scores[0, knee], points[knee] = 0.9, [80, 199.4]
    assert (draw_poses(image, [points], scores, COCO_17) != drawn).any()


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30, -1e30])
def test_wild_coordinates_do_no_harm(image, value):
    points = pose()
    points[3] = value
    draw_poses(image, [points], np.ones((1, 17)), COCO_17)


def test_score_colors_run_from_red_over_yellow_to_green():
    red, yellow, green = score_colors([0.0, 0.5, 1.0]).astype(int)
    assert red[0] > 200 and red[1] < 60
    assert yellow[0] > 200 and yellow[1] > 180
    assert green[0] < 60 and green[1] > 180
    np.testing.assert_array_equal(score_colors([-3, 7]), score_colors([0, 1]))


def test_score_coloring_uses_the_scores(image):
    scores = np.linspace(0.3, 1, 17)[None]
    drawn = draw_poses(image, [pose()], scores, COCO_17, color_by_score=True)
    for index in (0, 16):
        x, y = pose()[index].astype(int)
        np.testing.assert_array_equal(drawn[y, x], score_colors(scores[0, index]))


def test_heatmap_peak_is_laid_over_the_pixel_it_stands_for():
    crop = np.full((64, 48, 3), 90, np.uint8)
    heatmaps = np.zeros((17, 16, 12), np.float32)
    heatmaps[4, 6, 3] = 1.0
    changed = np.argwhere((overlay_heatmaps(crop, heatmaps) != crop).any(axis=-1))
    # Map pixel (3, 6) at stride 4.
    np.testing.assert_allclose(changed.mean(axis=0), (24, 12), atol=0.2)
    np.testing.assert_array_equal(overlay_heatmaps(crop, heatmaps * 0)[0, 0], 90)


def test_panels_have_one_height(image):
    panel = add_caption(image, "a caption that is far too long for so small a picture")
    assert panel.shape[1] == image.shape[1]
    joined = side_by_side([panel, image[:50]], height=100)
    assert joined.shape[0] == 100


def test_boxes_are_drawn_on_their_border(image):
    drawn = draw_boxes(image, [[30, 40, 50, 60]])
    assert (drawn[40, 55] != 70).any() and (drawn[100, 55] != 70).any()
    assert (drawn[70, 55] == 70).all()
    assert (draw_boxes(image, np.zeros((0, 4))) == image).all()
