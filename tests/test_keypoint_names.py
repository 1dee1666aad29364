"""Sides and joints in the spellings that annotation tools write."""

import pytest

from distilpose_keras.keypoint_names import canonical_name, match_names, pair_sides
from distilpose_keras.keypoints import COCO_17

PARTS = ("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
SPELLINGS = {
    "left_eye": lambda side, part: f"{side}_{part}",
    "Left Eye": lambda side, part: f"{side} {part}".title(),
    "LEFT-EYE": lambda side, part: f"{side}-{part}".upper(),
    "eye_left": lambda side, part: f"{part}_{side}",
    "Eye (Left)": lambda side, part: f"{part} ({side})".title(),
    "leftEye": lambda side, part: side + part.title(),
    "LeftEye": lambda side, part: side.title() + part.title(),
    "eyeLeft": lambda side, part: part + side.title(),
    "lefteye": lambda side, part: side + part,
    "LEFTEYE": lambda side, part: (side + part).upper(),
    "eyeleft": lambda side, part: part + side,
    "L_eye": lambda side, part: f"{side[0].upper()}_{part}",
    "l_eye": lambda side, part: f"{side[0]}_{part}",
    "L.Eye": lambda side, part: f"{side[0].upper()}.{part.title()}",
    "Eye L": lambda side, part: f"{part.title()} {side[0].upper()}",
    "eye_l": lambda side, part: f"{part}_{side[0]}",
    "LEye": lambda side, part: side[0].upper() + part.title(),
    "lEye": lambda side, part: side[0] + part.title(),
    "eyeL": lambda side, part: part + side[0].upper(),
    "leye": lambda side, part: side[0] + part,
    "human.left.eye": lambda side, part: f"human.{side}.{part}",
    " left_eye ": lambda side, part: f" {side}_{part} ",
    "左eye": lambda side, part: {"left": "左", "right": "右"}[side] + part,
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_the_usual_spellings_are_paired(spelling):
    write = SPELLINGS[spelling]
    # Right comes first in half of them: pairs are (left, right) all the same.
    names = ["nose"]
    for n, part in enumerate(PARTS):
        order = ("left", "right") if n % 2 else ("right", "left")
        names += [write(side, part) for side in order]
    expected = {
        (names.index(write("left", part)), names.index(write("right", part)))
        for part in PARTS
    }
    pairs, unpaired = pair_sides(names)
    assert set(pairs) == expected
    assert unpaired == ()


def test_spellings_may_be_mixed_in_one_file():
    names = ["Left Eye", "ear_l", "eye_right", "nose", "R.Ear", "neck"]
    assert pair_sides(names) == (((0, 2), (1, 4)), ())


def test_a_side_within_a_side_turns_with_it():
    names = [
        f"{a}_eye_{b}_corner" for a in ("left", "right") for b in ("left", "right")
    ]
    # A mirror makes the left eye's left corner the right eye's right corner.
    assert pair_sides(names) == (((0, 3), (1, 2)), ())


def test_words_that_only_look_like_sides_are_none():
    names = [
        "bright_spot",
        "upright",
        "L5",
        "lip",
        "rib",
        "tail",
        "collar",
        "T1",
        "rear",
    ]
    assert pair_sides(names) == ((), ())


@pytest.mark.parametrize(
    ("names", "unpaired"),
    [
        (["nose", "left_hip"], ("left_hip",)),
        (["Left Eye", "Eye other side"], ("Left Eye",)),
        (["left_eye", "L_eye", "right_eye"], ("left_eye", "L_eye", "right_eye")),
        (["left_paw_1", "right_paw_2"], ("left_paw_1", "right_paw_2")),
        (["eye_L"], ("eye_L",)),
    ],
)
def test_names_with_a_side_and_no_partner_are_told(names, unpaired):
    assert pair_sides(names) == ((), unpaired)


@pytest.mark.parametrize(
    "name",
    ["left_eye", "Left Eye", "eye_left", "L_eye", "leftEye", "EYE-L", "lefteye"],
)
def test_one_spelling_stands_for_all(name):
    assert canonical_name(name) == "left_eye"


def test_coco_s_names_are_canonical():
    assert [canonical_name(name) for name in COCO_17.names] == list(COCO_17.names)


def test_keypoints_are_found_in_another_order_spelling_and_number():
    assert match_names(["nose", "left_eye"], ["Eye L", "Nose"]) == [1, 0]
    assert match_names(["nose", "left_eye"], ["nose"]) == [0, -1]
    assert match_names(["nose"], ["left_eye", "nose"]) == [1]
    # Numbers say nothing: the order does.
    assert match_names(["nose", "left_eye"], ["0", "1"]) == [0, 1]


@pytest.mark.parametrize(
    "found", [["nose", "tail"], ["nose", "neck", "tail"], ["paw", "tail", "ear"]]
)
def test_keypoints_of_something_else_are_refused(found):
    with pytest.raises(ValueError, match=r"expected 2 keypoints .*left_eye.*Received"):
        match_names(["nose", "left_eye"], found)
