"""The files of a rendered data set."""

import hashlib
import json

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from distilpose_keras.keypoints import COCO_17
from distilpose_keras.synthetic import dataset, render_dataset


def digests(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    folder = tmp_path_factory.mktemp("synthetic") / "people"
    return render_dataset(folder, train_images=12, val_images=6, seed=5, workers=1)


def test_same_seed_same_files_whatever_the_workers(people, tmp_path):
    again = render_dataset(
        tmp_path / "again", train_images=12, val_images=6, seed=5, workers=2
    )
    assert digests(again) == digests(people)


def test_another_seed_or_split_gives_other_pictures(people, tmp_path):
    other = render_dataset(tmp_path / "other", train_images=2, val_images=2, seed=6)
    first = (people / "train2017" / "000000000001.jpg").read_bytes()
    assert (other / "train2017" / "000000000001.jpg").read_bytes() != first
    assert len(set(digests(people).values())) == len(digests(people))


def test_pictures_do_not_depend_on_how_many_there_are(people, tmp_path):
    few = render_dataset(tmp_path / "few", train_images=3, val_images=1, seed=5)
    name = "train2017/000000000003.jpg"
    assert (few / name).read_bytes() == (people / name).read_bytes()


@pytest.mark.parametrize("split, count", [("train", 12), ("val", 6)])
def test_annotations_are_valid_coco(people, split, count, capsys):
    coco = COCO(str(people / "annotations" / f"person_keypoints_{split}2017.json"))
    capsys.readouterr()
    assert len(coco.imgs) == count
    (category,) = coco.loadCats(coco.getCatIds(catNms=["person"]))
    assert tuple(category["keypoints"]) == COCO_17.names
    assert category["skeleton"][0] == [16, 14]  # as in COCO's own files
    for image in coco.imgs.values():
        picture = cv2.imread(str(people / f"{split}2017" / image["file_name"]))
        assert picture.shape == (image["height"], image["width"], 3) == (240, 320, 3)
        assert 1 <= len(coco.getAnnIds(image["id"])) <= 4
    for annotation in coco.anns.values():
        points = np.array(annotation["keypoints"], float).reshape(17, 3)
        labelled = points[:, 2] > 0
        assert annotation["num_keypoints"] == labelled.sum()
        assert (points[~labelled] == 0).all()
        assert (points[labelled, :2] >= 0).all()
        assert (points[labelled, :2] <= (319, 239)).all()
        mask = coco.annToMask(annotation)
        assert annotation["area"] == mask.sum()
        box = coco_mask.toBbox(coco.annToRLE(annotation))
        np.testing.assert_array_equal(annotation["bbox"], box)


def test_ids_are_unique_over_both_splits(people):
    seen = {"images": [], "annotations": []}
    for split in ("train", "val"):
        path = people / "annotations" / f"person_keypoints_{split}2017.json"
        document = json.loads(path.read_text())
        for kind, ids in seen.items():
            ids += [entry["id"] for entry in document[kind]]
    for ids in seen.values():
        assert len(ids) == len(set(ids))


def test_detections_belong_to_validation_pictures(people):
    folder = people / "person_detection_results"
    detections = json.loads((folder / "person_detections_val2017.json").read_text())
    path = people / "annotations" / "person_keypoints_val2017.json"
    images = {image["id"] for image in json.loads(path.read_text())["images"]}
    assert detections
    assert {entry["image_id"] for entry in detections} <= images
    assert {entry["category_id"] for entry in detections} == {1}


def test_pictures_are_varied_and_not_washed_out(people):
    pictures = [cv2.imread(str(p)) for p in sorted((people / "train2017").iterdir())]
    means = [picture.mean() for picture in pictures]
    assert np.std(means) > 10
    assert np.median([picture.std() for picture in pictures]) > 25


def test_another_size(tmp_path):
    folder = render_dataset(
        tmp_path / "wide", train_images=1, val_images=1, image_size=(120, 200)
    )
    picture = cv2.imread(str(next((folder / "train2017").iterdir())))
    assert picture.shape == (120, 200, 3)


def test_a_folder_with_contents_is_refused(people, tmp_path):
    before = digests(people)
    with pytest.raises(ValueError, match="not empty.*people"):
        render_dataset(people, train_images=1, val_images=1)
    assert digests(people) == before
    (tmp_path / "empty").mkdir()
    render_dataset(tmp_path / "empty", train_images=1, val_images=1)
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="not empty"):
        render_dataset(tmp_path / "file", train_images=1, val_images=1)


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"train_images": 0}, "train_images.*Received: 0"),
        ({"val_images": -1}, "val_images.*Received: -1"),
        ({"image_size": (10, 320)}, "image_size"),
    ],
)
def test_numbers_out_of_range_are_refused(tmp_path, wrong, message):
    arguments = {"train_images": 1, "val_images": 1} | wrong
    with pytest.raises(ValueError, match=message):
        render_dataset(tmp_path / "people", **arguments)
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_run_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(dataset, "_write_annotations", interrupted)
    with pytest.raises(KeyboardInterrupt):
        render_dataset(tmp_path / "people", train_images=1, val_images=1)
    assert list(tmp_path.iterdir()) == []
