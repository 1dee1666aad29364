"""Photographs of the report, on rendered pictures."""

import shutil

import cv2
import numpy as np
import pytest

from distilpose_keras.data.coco import coco_paths, load_people
from distilpose_keras.data.images import read_image
from distilpose_keras.keypoints import COCO_17
from distilpose_keras.predictor import PoseResult
from distilpose_keras.report.panels import PICTURE_HEIGHT, zoomed
from distilpose_keras.report.photographs import choose_photographs, photograph_panels


@pytest.fixture
def photos(data, tmp_path):
    """A folder of three pictures, a damaged one before them, a text and a video."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, path in enumerate(sorted((data / "train2017").iterdir())[:3]):
        shutil.copyfile(path, folder / f"{number}.jpg")
    (folder / "-damaged.jpg").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("x")
    shutil.copyfile(folder / "0.jpg", folder / "._0.jpg")
    (folder / "walk.mp4").write_bytes(b"frames")
    return folder


class Truth:
    """Finds the people that are labelled, and their poses."""

    schema = COCO_17

    def __init__(self, data, photos):
        people = load_people(*coco_paths(data, "train"))
        self.people = people
        names = sorted(p.name for p in (data / "train2017").iterdir())
        self.members = [
            np.flatnonzero(people.image_index == people.image_files.index(name))
            for name in names[:3]
        ]
        self.asked = []

    def find(self, image):
        members = self.members[len(self.asked)]
        return self.people.boxes_xywh[members], np.ones(len(members))

    def predict(self, image, boxes):
        members = self.members[len(self.asked)]
        np.testing.assert_array_equal(boxes, self.people.boxes_xywh[members])
        self.asked.append(image.shape)
        points = self.people.keypoints[members]
        return PoseResult(points, np.ones(points.shape[:2]))


def test_the_first_pictures_that_can_be_read_are_chosen(photos):
    chosen = choose_photographs(photos, 2)
    assert [path.name for path in chosen] == ["0.jpg", "1.jpg"]
    assert len(choose_photographs(photos, 9)) == 3


@pytest.mark.parametrize("names", [(), ("-damaged.jpg",)])
def test_a_folder_without_pictures_is_refused(photos, names):
    for path in photos.iterdir():
        if path.name not in (*names, "notes.txt"):
            path.unlink()
    complaint = "no picture in .*photos can be read"
    complaint += ": .*-damaged.jpg" if names else "$"
    with pytest.raises(ValueError, match=complaint):
        choose_photographs(photos, 6)


def test_boxes_stand_beside_what_a_model_sees_in_them(data, photos):
    truth = Truth(data, photos)
    chosen = choose_photographs(photos, 3)
    panels = photograph_panels(chosen, {"student": truth}, truth)
    assert [caption for caption, _ in panels] == ["0.jpg", "1.jpg", "2.jpg"]
    assert truth.asked == [cv2.imread(str(path)).shape for path in chosen]
    plain = zoomed(read_image(chosen[0])).astype(int)
    picture = panels[0][1][-PICTURE_HEIGHT:].astype(int)  # without the caption
    found, seen = picture[:, : plain.shape[1]], picture[:, -plain.shape[1] :]
    # The box is where the person is, at the size that is shown.
    zoom = PICTURE_HEIGHT / truth.asked[0][0]
    left, top, width, height = truth.people.boxes_xywh[truth.members[0][0]] * zoom
    changed = np.flatnonzero((found != plain).any(axis=-1)[round(top + height / 2)])
    assert all(np.abs(changed - side).min() < 2 for side in (left, left + width))
    assert not ((changed > left + 5) & (changed < left + width / 3)).any()
    # The pose has the orange of a left side.
    orange = [np.abs(p - (255, 140, 40)).max(axis=-1) < 3 for p in (found, seen)]
    assert not orange[0].any() and orange[1].any()


def test_a_picture_that_is_gone_is_left_out(data, photos):
    truth = Truth(data, photos)
    chosen = choose_photographs(photos, 3)
    chosen[2].unlink()
    panels = photograph_panels(chosen, {}, truth)
    assert [caption for caption, _ in panels] == ["0.jpg", "1.jpg"]
