"""Pictures are found by the ids and names that other programs give them."""

import json
import re
from urllib.parse import quote

import numpy as np
import pytest

from distilpose_keras.data.coco import load_people
from distilpose_keras.data.detections import load_detections
from distilpose_keras.data.picture_names import PictureNames, names_on_disk

from .other_files import document, load, write

# How a picture with the id 2 and the name 000000000002.jpg may be meant.
SPELLINGS = {
    "id": 2,
    "float": 2.0,
    "text": "2",
    "zero-padded": "000000000002",
    "name": "000000000002.jpg",
    "upper case": "000000000002.JPG",
    "another suffix": "000000000002.png",
    "folder": "val2017/000000000002.jpg",
    "path": "/home/me/coco/val2017/000000000002.jpg",
    "Windows": "C:\\coco\\val2017\\000000000002.jpg",
    "Windows, relative": "val2017\\000000000002.JPG",
    "address": "http://images.example.org/val2017/000000000002.jpg?size=full",
    "here": "./000000000002.jpg",
}


def detections(tmp_path, entries):
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps(entries))
    return path


def box(image_id, **more):
    entry = {"image_id": image_id, "category_id": 1, "bbox": [1, 2, 30, 40]}
    return entry | {"score": 0.5} | more


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_boxes_find_their_picture(tmp_path, spelling):
    people = load(tmp_path, document())
    path = detections(tmp_path, [box(SPELLINGS[spelling]), box(3)])
    found = load_detections(path, people)
    assert found.image_ids[found.image_index].tolist() == [2, 3]


def test_boxes_may_name_the_file_instead_of_an_id(tmp_path):
    people = load(tmp_path, document())
    entry = box(None, file_name="val\\000000000003.JPG")
    found = load_detections(detections(tmp_path, [entry]), people)
    assert found.image_index.tolist() == [2]


def test_boxes_of_a_file_whose_ids_are_no_numbers(tmp_path):
    data = document()
    for entry in [*data["images"], *data["annotations"]]:
        key = "image_id" if "image_id" in entry else "id"
        entry[key] = f"shot-{entry[key]}"
    people = load(tmp_path, data)
    boxes = [box("shot-2"), box("000000000003.jpg"), box(1)]
    found = load_detections(detections(tmp_path, boxes), people)
    assert found.image_index.tolist() == [1, 2]
    assert found.skipped == {"of an unknown image": 1}


@pytest.mark.parametrize(
    ("entries", "problem"),
    [
        ([], "holds no detections"),
        ([box(1, category_id=0), box(2, category_id=0)], r"category 1,.*category 0$"),
        ([box(1, category_id=3), box(1, category_id=5)], r"category 1,.* 3, 5$"),
        ([box(77), box(78)], r"image_id 1 \(0+1\.jpg\).*image_id 77 and 1 others"),
        ([box("x/77.jpg")], r"image_id 1 \(0+1\.jpg\).*image_id 'x/77\.jpg'"),
        ([box(1, score=None)], "score threshold. Received: 1 below"),
    ],
)
def test_boxes_of_something_else_are_refused(tmp_path, entries, problem):
    people = load(tmp_path, document())
    path = detections(tmp_path, entries)
    with pytest.raises(ValueError, match=problem) as refusal:
        load_detections(path, people)
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_boxes_of_other_categories_too_are_a_detector_s(tmp_path):
    people = load(tmp_path, document())
    boxes = [box(1), box(1, category_id=0), box(1, category_id=None)]
    found = load_detections(detections(tmp_path, boxes), people)
    assert len(found) == 2
    assert found.skipped == {"of another category": 1}


def test_a_text_that_is_an_id_and_another_s_name_is_refused(tmp_path):
    data = document()
    for image, name in zip(data["images"], ("2.jpg", "1.jpg", "3.jpg"), strict=True):
        image["file_name"] = name
    people = load(tmp_path, data)
    with pytest.raises(ValueError, match=r"'1' is the id of 2\.jpg and the name of 1"):
        load_detections(detections(tmp_path, [box("1")]), people)


def test_folders_tell_pictures_of_one_name_apart():
    names = PictureNames(["cam1/a.jpg", "cam2/a.jpg", "cam2/b.png"])
    assert names.find("cam2/a.jpg") == 1
    assert names.find("D:\\shots\\CAM2\\A.JPG") == 1
    assert names.find("b.jpg") == 2
    assert names.find("a.jpg") == -1  # which one?
    assert names.find("") == names.find("///") == -1


@pytest.mark.parametrize(
    "write_name",
    [
        lambda name: name,
        lambda name: f"train2017\\{name}",
        lambda name: f"C:\\Users\\me\\{name}",
        lambda name: f"images/{name}",
        lambda name: name.upper(),
        lambda name: name.replace(".jpg", ".JPEG"),
        quote,
    ],
)
@pytest.mark.parametrize("name", ["plain.jpg", "été à la mer.jpg", "sub/deep.jpg"])
def test_files_are_found_by_the_names_of_other_systems(tmp_path, write_name, name):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"")
    found, changed = names_on_disk([write_name(name), "gone.jpg"], tmp_path)
    assert found == [name, "gone.jpg"]
    assert changed == (write_name(name) != name)


def test_people_stay_with_their_pictures_under_other_names(tmp_path):
    data = document()
    path = write(tmp_path, data)
    for image in data["images"]:
        image["file_name"] = f"D:\\train\\{image['file_name'].upper()}"
    path.write_text(json.dumps(data))
    with pytest.warns(UserWarning, match="3 pictures found under another spelling"):
        people = load_people(path, tmp_path)
    assert [person.image_path.name for person in people[::2]] == [
        f"{n:012d}.jpg" for n in (1, 2, 3)
    ]


def joined(first, second):
    """Two sets joined by concatenation."""
    return {
        "images": first["images"] + second["images"],
        "annotations": first["annotations"] + second["annotations"],
        "categories": first["categories"],
    }


@pytest.mark.parametrize("same_name", [False, True])
def test_two_pictures_of_one_id_are_refused(tmp_path, same_name):
    first, second = document(), document(seed=1)
    for image in second["images"]:
        if same_name:
            image["width"] += 20
        else:
            image["file_name"] = f"b_{image['file_name']}"
    other = second["images"][0]["file_name"]
    expected = rf"id 1 for 000000000001\.jpg and for {re.escape(other)} \(3 ids"
    with pytest.raises(ValueError, match=expected) as refusal:
        load(tmp_path, joined(first, second))
    assert "people.json" in str(refusal.value)


def test_a_picture_listed_twice_is_one(tmp_path):
    data = document()
    data["images"] += data["images"][:2]
    people = load(tmp_path, data)
    assert len(people) == 6
    assert people.image_ids.tolist() == [1, 2, 3]


def test_texts_that_would_be_one_number_stay_two_ids(tmp_path):
    data = document(4)
    for image, name in zip(data["images"], ("1", "01"), strict=True):
        image["id"] = name
    for person, name in zip(data["annotations"], ("01", "1", "1", "01"), strict=True):
        person["image_id"] = name
    people = load(tmp_path, data)
    assert people.annotation_ids.tolist() == [101, 102, 100, 103]
    np.testing.assert_array_equal(people.image_index, [0, 0, 1, 1])
