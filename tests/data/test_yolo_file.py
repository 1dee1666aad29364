"""What a `data.yaml` says, and what it may not say."""

from functools import partial

import pytest

from distilpose_keras.data.yolo_file import read_yolo
from distilpose_keras.keypoints import COCO_17
from tests.data.yolo_pictures import YAML, write_dataset


@pytest.fixture
def dataset(tmp_path):
    return partial(write_dataset, tmp_path)


def test_names_tell_what_a_mirror_exchanges(dataset):
    assert read_yolo(dataset()).keypoints == ("left_0", "right_0")
    named = YAML + "kpt_names: {0: [tip, root]}\n"
    assert read_yolo(dataset(named)).keypoints == ("tip", "root")
    flip = COCO_17.flip_permutation.tolist()
    coco = f"train: x\nnames: [person]\nkpt_shape: [17, 3]\nflip_idx: {flip}\n"
    assert read_yolo(dataset(coco)).keypoints == COCO_17.names
    alone = "train: x\nnames: [door]\nkpt_shape: [2, 3]\n"
    assert read_yolo(dataset(alone)).keypoints == ("keypoint_0", "keypoint_1")


@pytest.mark.parametrize(
    ("yaml", "line"),
    [
        ("[1, 2]", "must hold keys and values"),
        ("a: [", "not valid YAML"),
        ("names: [a]", "must have kpt_shape"),
        ("names: [a]\nkpt_shape: [17, 4]", "kpt_shape: .keypoints, 2 or 3.. Received"),
        ("kpt_shape: [2, 3]", "must have names"),
        ("names: {1: a}\nkpt_shape: [2, 3]", "number its names from 0"),
        (
            "names: [a]\nkpt_shape: [2, 3]\nflip_idx: [0]",
            "flip_idx of the numbers 0 to",
        ),
        ("names: [a]\nkpt_shape: [3, 3]\nflip_idx: [1, 2, 0]", "exchanges pairs"),
        ("names: [a]\nkpt_shape: [2, 3]\nkpt_names: [x]", "must have 2 kpt_names"),
    ],
)
def test_a_yaml_that_cannot_be_followed(dataset, yaml, line):
    file = dataset(yaml)
    with pytest.raises(ValueError, match=line) as error:
        read_yolo(file)
    assert str(file) in str(error.value)
    assert "\n" not in str(error.value)


def test_splits_that_are_not_there(dataset):
    read = read_yolo(dataset())
    with pytest.raises(ValueError, match="must list the pictures of 'val'"):
        read.pictures("val")
    empty = read_yolo(dataset(YAML.replace("images/train", "nowhere")))
    with pytest.raises(ValueError, match="no such file or folder of pictures"):
        empty.pictures("train")
