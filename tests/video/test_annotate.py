"""What is drawn, and what is only written."""

from types import SimpleNamespace

import numpy as np
import pytest

from distilpose_keras.keypoints import COCO_17
from distilpose_keras.video.annotate import Annotated, Annotator


@pytest.mark.parametrize(
    ("doubts", "expected"), [(True, [True, False, False]), (False, [True, True, False])]
)
def test_people_are_drawn_of_whom_the_finder_is_sure(doubts, expected):
    """By hand, box times root of score: 0.42, 0.09 and 0.15."""
    picture = SimpleNamespace(image=np.zeros((100, 300, 3), np.uint8), error=None)
    boxes = np.array([[10, 10, 60, 80], [110, 10, 60, 80], [210, 10, 60, 80]])
    item = Annotated(picture, boxes, np.array([0.6, 0.9, 0.25]))
    item.keypoints = boxes[:, None, :2] + np.full((17, 2), 30.0)
    item.scores = np.array([[0.49], [0.01], [0.36]]).repeat(17, axis=1)
    predictor = SimpleNamespace(schema=COCO_17)
    annotator = Annotator(predictor, None, None, None, doubts=doubts)
    drawn = annotator.draw(item).drawn
    seen = [drawn[:, left : left + 100].any() for left in (0, 100, 200)]
    assert seen == expected and annotator.drawn == sum(expected)
