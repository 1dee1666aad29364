"""Lines between keypoints, as different programs write them."""

import pytest

from distilpose_keras.keypoints import KeypointSchema
from distilpose_keras.skeletons import skeleton_lines


@pytest.mark.parametrize(
    ("skeleton", "lines", "dropped"),
    [
        ([[1, 2], [2, 3]], ((0, 1), (1, 2)), 0),
        ([[0, 1], [1, 2]], ((0, 1), (1, 2)), 0),  # from 0
        ([[0, 1], [2, 3]], ((1, 2),), 1),  # both: COCO's way, without the 0
        ([1, 2, 2, 3], ((0, 1), (1, 2)), 0),  # flat
        ([["a", "b"], ["2", "3"], [2.0, 3]], ((0, 1), (1, 2), (1, 2)), 0),
        ([["a", "z"], [1], None, [1, 2, 3], [2, 2], [9, 1], [[], 1]], (), 7),
        (None, (), 0),
        ("none", (), 0),
        ([], (), 0),
        ([1, 2, 3], ((0, 1),), 1),
        ([[1.5, 2], [float("nan"), 1], [1e300, 1]], (), 3),
    ],
)
def test_skeletons_are_read_as_programs_write_them(skeleton, lines, dropped):
    assert skeleton_lines(skeleton, ("a", "b", "c")) == (lines, dropped)
    category = {"keypoints": ["a", "b", "c"], "skeleton": skeleton}
    assert KeypointSchema.from_coco_category(category).skeleton == lines
