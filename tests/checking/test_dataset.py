"""Every kind of problem is found, counted and named; a correct data set has none."""

import json

import cv2
import numpy as np
import pytest

from distilpose_keras import check_dataset
from distilpose_keras.checking import pictures, predictions
from distilpose_keras.checking.pictures import Scan, same_pictures
from distilpose_keras.data.images import read_reduced_image
from distilpose_keras.keypoints import COCO_17

from .conftest import HEIGHT, WIDTH, scenery, standing


def found(data, **options):
    """Dict of (split, kind) to Problem."""
    check = check_dataset(data.folder, **options)
    return {(p.split, p.kind): p for p in check.problems}


def only(problems):
    (problem,) = problems.values()
    return problem


def test_a_correct_data_set_has_no_problem(data):
    check = check_dataset(data.folder)
    assert check.problems == []
    assert not check.serious
    assert check.pictures == 17
    assert check.line() == (
        "12 people in 12 train pictures, 5 people in 5 val pictures: no problem found"
    )
    figures = check.statistics["train"]
    assert figures["people_with_keypoints"] == 12
    assert figures["keypoints_per_person"] == 17
    assert figures["categories"] == {"person": 12}
    assert figures["visibility"]["nose"] == [0, 0, 12]
    assert figures["picture_height"] == [240.0] * 3
    json.dumps(check.to_dict())


def test_pictures_that_cannot_be_used_are_counted_by_kind(data):
    data.picture("train", 1).unlink()
    whole = data.picture("train", 2).read_bytes()
    data.picture("train", 2).write_bytes(whole[: len(whole) // 2])
    data.picture("train", 3).write_bytes(b"")
    half = cv2.resize(scenery(4), (160, 120))
    cv2.imwrite(str(data.picture("train", 4)), half)
    grey = np.full((240, 320, 3), 90, np.uint8)
    cv2.imwrite(str(data.picture("train", 5)), grey)
    problems = {kind: p for (_, kind), p in found(data).items()}
    expected = {
        "pictures missing": (1, True, "1.jpg"),
        "pictures damaged": (2, True, "2.jpg"),
        "pictures of another size than their annotations say": (1, True, "4.jpg"),
        "pictures that show next to nothing": (1, False, "5.jpg"),
    }
    assert problems.keys() == expected.keys()
    for kind, (count, serious, name) in expected.items():
        assert (problems[kind].count, problems[kind].of) == (count, 12)
        assert problems[kind].serious == serious
        assert name in problems[kind].examples[0].text


def test_pictures_in_both_splits_are_found_however_they_are_stored(data):
    options = [cv2.IMWRITE_JPEG_QUALITY, 60]
    cv2.imwrite(str(data.picture("val", 101)), scenery(7), options)
    smaller = cv2.resize(scenery(9), (160, 120), interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(data.picture("val", 103)), smaller)
    for image in data.documents["val"]["images"]:
        if image["id"] == 103:
            image |= {"width": 160, "height": 120}
    data.documents["val"]["annotations"].pop(2)
    data.write("val")
    problem = only(found(data))
    assert problem.kind == "pictures that train shows too"
    assert (problem.split, problem.count, problem.of) == ("val", 2, 5)
    assert problem.serious
    texts = [example.text for example in problem.examples]
    assert texts == ["101.jpg and 7.jpg", "103.jpg and 9.jpg"]


def test_alike_is_a_matter_of_hash_and_content():
    rng = np.random.default_rng(0)
    thumbnails = rng.integers(0, 255, (3, 16, 16)).astype(np.uint8)

    def scan(hashes, thumbs):
        count = len(hashes)
        hashes = np.array(hashes, np.uint64)
        return Scan(np.zeros(count, np.uint8), hashes, thumbs, np.full(count, 50.0), {})

    one = scan([0b1111, 0xFF00, 0xF0F0F0], thumbnails)
    # The same; four bits off; the same hash of another picture.
    other = scan([0b0000, 0xF0F0F0, 0xFF00], thumbnails[[0, 0, 1]])
    assert same_pictures(one, other) == [(0, 0), (1, 2)]
    assert same_pictures(one, scan([0b111110000], thumbnails[:1])) == []


def test_ids_that_are_given_twice_are_counted(data):
    train = data.documents["train"]
    train["images"][1]["id"] = 1
    train["annotations"][1]["image_id"] = 1
    train["annotations"][4]["id"] = train["annotations"][5]["id"]
    data.write()
    problems = found(data)
    images = problems["train", "image ids given to two pictures"]
    assert (images.count, images.serious) == (1, True)
    assert images.examples[0].text == "id 1: 1.jpg and 2.jpg"
    people = problems["train", "annotation ids given to several people"]
    assert (people.count, people.serious) == (1, False)


def test_places_that_cannot_be_are_counted_with_the_worst_first(data):
    for n, by in ((2, 400), (5, 900)):
        triples = data.points(n)
        triples[9, 0] += by
        data.set_points(n, triples)
    data.documents["train"]["annotations"][7]["bbox"] = [1, 1, 20, 20]
    data.write()
    problems = found(data)
    outside = problems["train", "people with keypoints outside their picture"]
    assert outside.count == 2
    assert outside.examples[0].text.startswith("6.jpg, annotation 1006")
    boxes = problems["train", "boxes that do not hold their keypoints"]
    assert boxes.count == 3
    assert len(problems) == 2


def test_boxes_that_show_nothing_are_counted(data):
    data.documents["train"]["annotations"][7]["bbox"] = [500, 1, 20, 20]
    data.write()
    problems = found(data)
    assert (
        problems["train", "people whose box shows nothing of their picture"].count == 1
    )


@pytest.mark.parametrize("tilt", [0, 90, 180])
@pytest.mark.parametrize("joints", ["all", "body"])
def test_left_and_right_exchanged_are_found(data, joints, tilt):
    flip = COCO_17.flip_permutation
    if joints == "body":
        flip = np.where(np.arange(17) < 5, np.arange(17), flip)
    for n in range(12):
        points = standing(np.random.default_rng(n), tilt=tilt)
        triples = np.hstack([points, np.full((17, 1), 2)])
        data.set_points(n, triples[flip] if n < 5 else triples)
        data.documents["train"]["annotations"][n].pop("bbox")
    data.write()
    kind = "people seen from the front whose left is on the wrong side"
    problem = found(data, pictures=False)["train", kind]
    assert (problem.count, problem.of, problem.serious) == (5, 12, True)


def test_people_seen_from_behind_are_not_exchanged(data):
    flip = COCO_17.flip_permutation
    for n in range(12):
        triples = data.points(n)[flip]
        triples[:5] = 0  # no face
        data.set_points(n, triples)
    data.write()
    kinds = [p.kind for p in found(data, pictures=False).values()]
    assert kinds == ["keypoints that nobody has labelled"]


class Oracle:
    """A predictor that knows what was labelled before it was spoiled."""

    schema = COCO_17
    input_size = (64, 48)


def test_a_model_tells_exchanged_sides_without_a_face(data, monkeypatch):
    flip = COCO_17.flip_permutation
    right = np.array([data.points(n) for n in range(12)])
    val = np.array([data.points(n, "val") for n in range(5)])
    for n in range(12):
        triples = right[n].copy()
        triples[:5, 2] = 0
        data.set_points(n, triples[flip] if n % 2 else triples)
    data.write()

    def predict(predictor, people):
        truth = right if len(people) == 12 else val
        return truth[..., :2] + 1.5, np.ones((len(people), 17))

    monkeypatch.setattr(predictions, "predict_people", predict)
    assert ("train", "people whose left is the model's right") not in found(
        data, pictures=False
    )
    problems = found(data, pictures=False, predictor=Oracle())
    problem = problems["train", "people whose left is the model's right"]
    assert (problem.count, problem.of) == (6, 12)
    assert ("val", "people whose left is the model's right") not in problems


def test_names_without_a_partner_are_told(data):
    data.documents["train"]["categories"][0]["keypoints"][1] = "other_eye"
    data.write()
    kind = "keypoints whose name holds a side, without a partner"
    assert found(data, pictures=False)["train", kind].examples[0].text == "right_eye"
    pairs = [("other_eye", "right_eye")]
    check = check_dataset(
        data.folder, splits=["train"], pictures=False, flip_pairs=pairs
    )
    assert check.problems == []


def test_a_file_that_cannot_be_followed_does_not_hide_the_other(data):
    path = data.folder / "annotations" / "person_keypoints_train2017.json"
    path.write_text('{"images": [')
    check = check_dataset(data.folder)
    problem = check.problems[0]
    assert problem.kind == "annotation files that cannot be followed"
    assert str(path) in problem.examples[0].text
    assert list(check.statistics) == ["val"]
    assert check.pictures == 5


def test_one_split_is_enough_and_none_is_not(data, tmp_path):
    (data.folder / "annotations" / "person_keypoints_train2017.json").unlink()
    assert list(check_dataset(data.folder).statistics) == ["val"]
    with pytest.raises(ValueError, match="annotation file does not exist"):
        check_dataset(data.folder, splits=["train"])
    with pytest.raises(ValueError, match="data folder does not exist"):
        check_dataset(tmp_path / "nowhere")


def test_an_empty_file_is_a_problem_of_its_own(data):
    data.documents["train"]["annotations"] = []
    data.documents["train"]["images"] = []
    data.write()
    problem = only(found(data))
    assert problem.kind == "split without a labelled keypoint"


def test_what_was_filled_in_is_remarked(data):
    for person in data.documents["train"]["annotations"]:
        person["area"] = 0
    data.write()
    check = check_dataset(data.folder, pictures=False)
    assert check.remarks["train"] == ["12 areas taken from the boxes"]


def test_every_picture_is_decoded_once_at_a_part_of_its_size(data, monkeypatch):
    decoded = []

    def read(path, reduction, size):
        image, scale = read_reduced_image(path, reduction, size)
        decoded.append((path.name, image.shape))
        return image, scale

    monkeypatch.setattr(pictures, "read_reduced_image", read)
    check_dataset(data.folder, splits=["train"], workers=1)
    reduced = (HEIGHT // 8, WIDTH // 8, 3)
    names = [data.picture("train", n).name for n in range(1, 13)]
    assert sorted(decoded) == [(name, reduced) for name in sorted(names)]
