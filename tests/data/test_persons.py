"""Optional fields are filled once, and training and scoring agree on them."""

import copy
import math
import warnings

import numpy as np
import pytest

from distilpose_keras.data.coco import load_people
from distilpose_keras.data.persons import boxes_of_keypoints
from distilpose_keras.keypoints import COCO_17
from distilpose_keras.scoring import read_ground_truth, score_coco

from .other_files import document, load, write


def score_of_the_truth(people):
    """AP of the annotated keypoints themselves."""
    truth, complete = read_ground_truth(people)
    assert complete
    ids = people.image_ids[people.image_index]
    sigmas = people.schema.sigmas
    scores = np.ones(len(people))
    return score_coco(truth, ids, people.keypoints, scores, sigmas)["AP"]


def change(data, field, value, every=1):
    """Give every n-th person another value; `del` takes the field away."""
    data = copy.deepcopy(data)
    for person in data["annotations"][::every]:
        if value == "del":
            del person[field]
        else:
            person[field] = value(person) if callable(value) else value
    return data


def flat(person):
    return [*person["bbox"][:3], 0]


# Field, its value, and what is said of it; the people are the same ones all the same.
ABSENT = {
    "area 0": ("area", 0, "areas taken from the boxes"),
    "area null": ("area", None, "areas taken from the boxes"),
    "area absent": ("area", "del", "areas taken from the boxes"),
    "area negative": ("area", -1, "areas taken from the boxes"),
    "area NaN": ("area", math.nan, "areas taken from the boxes"),
    "area infinite": ("area", math.inf, "areas taken from the boxes"),
    "area text": ("area", "512.5", ""),
    "box absent": ("bbox", "del", "boxes taken from the keypoints"),
    "box null": ("bbox", None, "boxes taken from the keypoints"),
    "box empty": ("bbox", [], "boxes taken from the keypoints"),
    "box 0": ("bbox", [0, 0, 0, 0], "boxes taken from the keypoints"),
    "box of nulls": ("bbox", [None] * 4, "boxes taken from the keypoints"),
    "box flat": ("bbox", flat, "boxes taken from the keypoints"),
    "box negative": ("bbox", [50, 50, -20, -20], "boxes taken from the keypoints"),
    "box NaN": ("bbox", [1, 2, math.nan, 4], "boxes taken from the keypoints"),
    "box text": ("bbox", lambda p: [str(v) for v in p["bbox"]], ""),
    "num_keypoints 0": ("num_keypoints", 0, ""),
    "num_keypoints null": ("num_keypoints", None, ""),
    "num_keypoints text": ("num_keypoints", "x", ""),
    "num_keypoints absent": ("num_keypoints", "del", ""),
    "iscrowd null": ("iscrowd", None, ""),
    "iscrowd false": ("iscrowd", False, ""),
    "iscrowd text": ("iscrowd", "0", ""),
    "iscrowd absent": ("iscrowd", "del", ""),
    "id null": ("id", None, ""),
    "id text": ("id", "a-17", ""),
    "id absent": ("id", "del", ""),
    "image_id text": ("image_id", lambda p: str(p["image_id"]), ""),
    "image_id padded": ("image_id", lambda p: f"{p['image_id']:012d}", ""),
    "image_id float": ("image_id", lambda p: float(p["image_id"]), ""),
    "image_id a name": ("image_id", lambda p: f"{p['image_id']:012d}.jpg", ""),
    "category_id text": ("category_id", "1", ""),
    "category_id float": ("category_id", 1.0, ""),
    "category_id null": ("category_id", None, ""),
    "category_id absent": ("category_id", "del", ""),
    "keypoints text": ("keypoints", lambda p: [str(v) for v in p["keypoints"]], ""),
    "keypoints nested": (
        "keypoints",
        lambda p: np.reshape(p["keypoints"], (-1, 3)).tolist(),
        "",
    ),
    "confidences": (
        "keypoints",
        lambda p: [v if n % 3 < 2 else 0.91 for n, v in enumerate(p["keypoints"])],
        "with confidences for flags",
    ),
}


@pytest.mark.parametrize("every", [1, 2])
@pytest.mark.parametrize("case", ABSENT)
def test_nobody_is_lost_for_an_optional_field(tmp_path, case, every):
    field, value, said = ABSENT[case]
    data = document()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        people = load(tmp_path, change(data, field, value, every))
    expected = load(tmp_path, data)
    assert len(people) == len(expected) == 6
    assert people.skipped == {}
    np.testing.assert_array_equal(people.keypoints, expected.keypoints)
    np.testing.assert_array_equal(people.visibility > 0, expected.visibility > 0)
    np.testing.assert_array_equal(people.image_index, expected.image_index)
    assert (people.areas > 0).all()
    path = write(tmp_path, change(data, field, value, every))
    assert score_of_the_truth(people) == pytest.approx(1.0), path
    # Said once, with a count, or not at all.
    lines = [str(warning.message) for warning in told]
    assert len(lines) == bool(said)
    if said:
        assert f"{-(-6 // every)} {said}" in lines[0]
        assert str(path) in lines[0]


def test_an_area_is_the_box_s_where_there_is_none(tmp_path):
    people = load(tmp_path, change(document(), "area", 0, every=2))
    boxes = [person["bbox"] for person in document()["annotations"]]
    areas = [person["area"] for person in document()["annotations"]]
    expected = [
        w * h if n % 2 == 0 else a
        for n, ((_, _, w, h), a) in enumerate(zip(boxes, areas, strict=True))
    ]
    np.testing.assert_allclose(people.areas, expected)


def test_a_box_of_keypoints_holds_the_labelled_ones_only():
    points = np.array([[[10, 20], [30, 60], [900, 900]]], np.float32)
    # A tenth of the longer side, 40, all round.
    expected = [[6, 16, 28, 48]]
    np.testing.assert_allclose(
        boxes_of_keypoints(points, np.array([[1, 2, 0]])), expected
    )


def test_one_labelled_point_says_no_size(tmp_path):
    data = change(document(2), "bbox", None)
    data["annotations"][0]["keypoints"] = [50, 40, 2] + [0] * 48
    people = load(tmp_path, data)
    assert people.annotation_ids.tolist() == [101]
    assert people.skipped == {"with a box outside the image or without area": 1}


@pytest.mark.parametrize(
    ("flag", "visibility"),
    [
        *((0, 0), (1, 1), (2, 2), (3, 2), (100, 2), (-1, 0), (True, 1), ("2", 2)),
        *((0.91, 1), (0.001, 1), (1.5, 2), (None, 0), (math.nan, 0)),
    ],
)
def test_above_0_is_labelled(tmp_path, flag, visibility):
    data = document(2)
    data["annotations"][0]["keypoints"][5] = flag
    people = load(tmp_path, data)
    assert people.visibility[0, 1] == visibility
    truth, _ = read_ground_truth(people)
    labelled = np.count_nonzero(people.visibility[0])
    assert truth.people[0]["num_keypoints"] == labelled


@pytest.mark.parametrize("value", [[None, 5, 2], [5, None, 2], [math.nan, 5, 0]])
def test_a_keypoint_without_a_place_is_not_labelled(tmp_path, value):
    data = document(2)
    data["annotations"][0]["keypoints"][:3] = value
    people = load(tmp_path, data)
    assert people.visibility[0, 0] == 0
    assert np.isfinite(people.keypoints).all()
    assert score_of_the_truth(people) == pytest.approx(1.0)


def test_a_crowd_without_a_box_is_still_a_crowd(tmp_path):
    data = document(4)
    data["annotations"][1] |= {"iscrowd": 1, "bbox": None}
    people = load(tmp_path, data)
    assert people.skipped == {"crowd": 1}
    assert score_of_the_truth(people) == pytest.approx(1.0)


def test_people_without_a_labelled_keypoint_are_not_missed(tmp_path):
    data = document(4)
    data["annotations"][1]["keypoints"] = [0] * 51
    data["annotations"][1]["num_keypoints"] = 17
    people = load(tmp_path, data)
    assert people.skipped == {"without keypoints": 1}
    assert score_of_the_truth(people) == pytest.approx(1.0)
    everybody = load_people(write(tmp_path, data), tmp_path, require_keypoints=False)
    assert len(everybody) == 4


def test_people_listed_twice_count_once(tmp_path):
    data = document(4)
    data["annotations"] += copy.deepcopy(data["annotations"][:2])
    people = load(tmp_path, data)
    assert people.skipped == {"listed twice": 2}
    assert score_of_the_truth(people) == pytest.approx(1.0)


def test_people_who_share_an_id_all_count(tmp_path):
    people = load(tmp_path, change(document(), "id", 7))
    assert len(people) == 6
    assert score_of_the_truth(people) == pytest.approx(1.0)
    # A part of them is that part, whatever their ids.
    truth, complete = read_ground_truth(people.take([0, 3]))
    assert not complete
    counted = [person["num_keypoints"] for person in truth.people]
    assert counted == [17, 0, 0, 17, 0, 0]


def test_ids_that_are_no_numbers_are_followed(tmp_path):
    data = document()
    for image in data["images"]:
        image["id"] = f"photo/{image['id']:02d}-a"
    for person in data["annotations"]:
        person["image_id"] = f"photo/{person['image_id']:02d}-a"
    people = load(tmp_path, data)
    assert people.image_index.tolist() == [0, 0, 1, 1, 2, 2]
    assert people.image_labels == ["photo/01-a", "photo/02-a", "photo/03-a"]
    assert score_of_the_truth(people) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("bbox", [1, 2, 3], "bbox that is not 4 numbers"),
        ("bbox", {"x": 1}, "bbox that is not 4 numbers"),
        ("bbox", [1, 2, 3, "wide"], "bbox that is not a number"),
        ("area", "large", "area that is not a number"),
        ("area", [1], "area that is not a number"),
        ("keypoints", "17 of them", "keypoints that is not a list of numbers"),
        ("keypoints", [[1, 2]] * 17, "keypoints that is not x, y and a flag each"),
        ("keypoints", [1, 2, "seen"] * 17, "keypoints that is not a number"),
        ("image_id", 1.5, "image_id that is not a whole number or a name"),
        ("image_id", [1], "image_id that is not a whole number or a name"),
        ("category_id", "person", "category_id that is not a whole number"),
        ("image_id", 10**30, "'annotations'"),
    ],
)
def test_a_field_that_cannot_be_followed_is_named(tmp_path, field, value, problem):
    data = document()
    data["annotations"][3][field] = value
    with pytest.raises(ValueError, match=problem) as refusal:
        load(tmp_path, data)
    assert "people.json" in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_a_byte_order_mark_is_read(tmp_path, encoding):
    path = write(tmp_path, document())
    path.write_bytes(path.read_text().encode(encoding))
    people = load_people(path, tmp_path)
    assert len(people) == 6
    assert people.schema == COCO_17
    assert score_of_the_truth(people) == pytest.approx(1.0)
