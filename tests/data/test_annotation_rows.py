"""Entries of COCO files in columns; whole files are read in `test_coco`."""

import numpy as np
import pytest

from distilpose_keras.data.annotation_rows import AnnotationRows
from distilpose_keras.data.persons import fill_persons
from distilpose_keras.data.picture_names import ImageTable

from .conftest import annotation


def table(*ids):
    return ImageTable(
        np.array(ids, np.int64),
        np.tile([[100, 200]], (len(ids), 1)),
        [f"{i}.jpg" for i in ids],
    )


def test_pictures_are_found_in_any_order_and_unknown_ones_are_not():
    images = table(30, 10, 20)
    assert images.positions([10, 20, 30, 10]).tolist() == [1, 2, 0, 1]
    # Before the first, between two and after the last.
    assert images.positions([5, 15, 99]).tolist() == [-1, -1, -1]
    assert table().positions([1, 2]).tolist() == [-1, -1]


def persons(entries, images, **options):
    rows = AnnotationRows()
    for entry in entries:
        rows.add_annotation(entry)
    settings = {
        "categories": (1,),
        "columns": [0, 1],
        "length": 2,
        "path": "people.json",
    }
    return fill_persons(rows, images, **(settings | options))


ENTRIES = [
    annotation(0, image_id=20, keypoints=[1, 2, 2, 3, 4, 1]),
    annotation(1, category_id=2, keypoints=[9] * 9),  # 3 keypoints
    annotation(2, image_id=10, keypoints=[]),
    annotation(3, image_id=20, keypoints=[5, 6, 0, 7, 8, 3]),
    annotation(4, image_id=10, iscrowd=1, keypoints=[9] * 6),
    annotation(5, image_id=10, keypoints=[10, 11, 2, 12, 13, 2]),
]


def test_keypoints_stay_with_their_person_among_others():
    found = persons(ENTRIES, table(10, 20))
    assert found.ids.tolist() == found.entries.tolist() == [0, 2, 3, 4, 5]
    assert found.image_index.tolist() == [1, 0, 1, 0, 0]
    assert found.crowds.tolist() == [False, False, False, True, False]
    assert found.keypoints.tolist() == [
        [[1, 2], [3, 4]],
        [[0, 0], [0, 0]],
        [[5, 6], [7, 8]],
        [[9, 9], [9, 9]],
        [[10, 11], [12, 13]],
    ]
    # COCO knows the flags 0, 1 and 2.
    assert found.visibility.tolist() == [[2, 1], [0, 0], [0, 2], [2, 2], [2, 2]]
    assert found.skipped == {"of another category": 1}


def test_the_labelled_ones_alone_are_asked_for():
    found = persons(ENTRIES, table(10, 20), labelled_only=True)
    assert found.ids.tolist() == [0, 3, 5]
    assert found.skipped == {
        "of another category": 1,
        "crowd": 1,
        "without keypoints": 1,
    }


def test_columns_may_be_in_another_order_and_absent():
    found = persons(ENTRIES[:1], table(20), columns=[1, -1, 0])
    assert found.keypoints.tolist() == [[[3, 4], [0, 0], [1, 2]]]
    assert found.visibility.tolist() == [[1, 0, 2]]


def test_an_unlabelled_person_of_another_layout_is_refused_too():
    good = annotation(1, image_id=10, keypoints=[1, 2, 2, 3, 4, 1])
    bad = annotation(8, image_id=10, keypoints=[0, 0, 0])
    with pytest.raises(ValueError, match="annotation 8 of people.json .* 3 numbers"):
        persons([good, bad], table(10))
    # Of another category it is nobody's business.
    found = persons([good, bad | {"category_id": 2}], table(10))
    assert found.ids.tolist() == [1]


def test_a_detection_has_a_score_and_no_keypoints():
    rows = AnnotationRows()
    for score in (0.3, 0.5, "0.7"):
        entry = {"image_id": 10, "category_id": 1, "bbox": [1, 2, 3, 4], "score": score}
        rows.add_detection(entry, 0.5)
    np.testing.assert_allclose(rows.scores, [0.5, 0.7], rtol=1e-6)
    assert rows.ids.tolist() == [-1, -1]
    assert rows.boxes.tolist() == [[1, 2, 3, 4]] * 2
    assert not rows.lengths.any()
    assert rows.count == 3
    assert rows.skipped == {"below the score threshold": 1}
