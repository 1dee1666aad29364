"""YOLO-pose labels: numbers by hand, and errors that name file and line."""

from functools import partial

import pytest

from distilpose_keras.data.yolo import coco_document, labels_of
from distilpose_keras.data.yolo_file import read_yolo
from tests.data.yolo_pictures import YAML, write_dataset


@pytest.fixture
def dataset(tmp_path):
    return partial(write_dataset, tmp_path)


def test_fractions_become_pixels(dataset):
    document, pictures = coco_document(read_yolo(dataset()), "train")
    assert [p.name for p in pictures] == ["a.png", "b.png"]
    assert document["images"][0] == {
        "id": 1,
        "file_name": "a.png",
        "height": 100,
        "width": 200,
    }
    (annotation,) = document["annotations"]
    assert annotation == {
        "id": 1,
        "image_id": 1,
        "category_id": 2,
        "bbox": [60.0, 40.0, 80.0, 20.0],  # of (0.5, 0.5), 0.4 x 200 and 0.2 x 100
        "area": 848.0,  # 0.53 x 80 x 20
        "iscrowd": 0,
        "num_keypoints": 1,
        "keypoints": [50.0, 75.0, 2.0, 0.0, 0.0, 0.0],
    }
    assert [c["name"] for c in document["categories"]] == ["hand", "paw"]


def test_without_visibilities_a_keypoint_at_the_corner_is_absent(dataset):
    yaml = YAML.replace("[2, 3]", "[2, 2]")
    file = dataset(yaml, "0 0.5 0.5 1 1 0.1 0.2 0 0")
    (annotation,) = coco_document(read_yolo(file), "train")[0]["annotations"]
    assert annotation["keypoints"] == [20.0, 20.0, 2.0, 0.0, 0.0, 0.0]


def test_the_last_folder_called_images_has_the_labels_beside_it():
    found = labels_of("/data/images/set/images/train/x.y.jpg")
    assert found.as_posix() == "/data/images/set/labels/train/x.y.txt"


@pytest.mark.parametrize(
    ("labels", "line"),
    [
        ("\n0 0.5 0.5 1 1 0 0", "a.txt, line 2: must be 11 numbers.*Received: '0 0.5"),
        ("0 0.5 0.5 1 1 0 0 2 0 0 x", "line 1: must be 11 numbers"),
        ("0 0.5 0.5 1 1 0 0 2 0 0 nan", "line 1: must be 11 numbers"),
        ("2 0.5 0.5 1 1 0 0 2 0 0 2", r"class must be in \[0, 2\). Received: 2"),
    ],
)
def test_a_damaged_label_is_named(dataset, labels, line):
    dataset = read_yolo(dataset(labels=labels))
    with pytest.raises(ValueError, match=line):
        coco_document(dataset, "train")
