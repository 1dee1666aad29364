"""Entries of COCO files in columns; whole files are read in `test_coco`."""

import numpy as np
import pytest

from distilpose_keras.data.annotation_rows import AnnotationRows, ImageTable

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


def columns(entries, images, keypoints=2, require=False):
    rows = AnnotationRows()
    for entry in entries:
        rows.add_annotation(entry, require)
    return rows.annotations(images, keypoints, 1, "people.json"), rows.skipped


def test_keypoints_stay_with_their_person_among_others():
    entries = [
        annotation(0, image_id=20, keypoints=[1, 2, 2, 3, 4, 1]),
        annotation(1, category_id=2, keypoints=[9] * 9),  # 3 keypoints
        annotation(2, image_id=10, keypoints=[]),
        annotation(3, image_id=20, keypoints=[5, 6, 0, 7, 8, 3]),
        annotation(4, image_id=10, iscrowd=1, keypoints=[9] * 6),
        annotation(5, image_id=10, keypoints=[10, 11, 2, 12, 13, 2]),
    ]
    found, skipped = columns(entries, table(10, 20))
    assert found["annotation_ids"].tolist() == [2, 5, 0, 3]
    assert found["image_index"].tolist() == [0, 0, 1, 1]
    assert found["keypoints"].tolist() == [
        [[0, 0], [0, 0]],
        [[10, 11], [12, 13]],
        [[1, 2], [3, 4]],
        [[5, 6], [7, 8]],
    ]
    # COCO knows the flags 0, 1 and 2.
    assert found["visibility"].tolist() == [[0, 0], [2, 2], [2, 1], [0, 2]]
    assert skipped == {"of another category": 1, "crowd": 1}


def test_an_unlabelled_person_of_another_layout_is_refused_too():
    good = annotation(1, image_id=10, keypoints=[1, 2, 2, 3, 4, 1])
    bad = annotation(8, image_id=10, keypoints=[0, 0, 0])
    with pytest.raises(ValueError, match="annotation 8 of people.json .* 3 numbers"):
        columns([good, bad], table(10), require=True)
    # Of another category it is nobody's business.
    found, _ = columns([good, bad | {"category_id": 2}], table(10), require=True)
    assert found["annotation_ids"].tolist() == [1]


def test_a_detection_has_a_score_and_no_keypoints():
    rows = AnnotationRows()
    for score in (0.3, 0.5, 0.7):
        entry = {"image_id": 10, "category_id": 1, "bbox": [1, 2, 3, 4], "score": score}
        rows.add_detection(entry, 0.5)
    found = rows.detections(table(10), 2, 1)
    np.testing.assert_allclose(found["scores"], [0.5, 0.7], rtol=1e-6)
    assert found["annotation_ids"].tolist() == [-1, -1]
    assert found["areas"].tolist() == [12, 12]
    assert not found["visibility"].any()
    assert rows.skipped == {"below the score threshold": 1}
