"""Four keypoints of a user's own: the example of the documentation, to the browser."""

import csv
import json

import cv2
import numpy as np
import pytest

from distilpose_keras.data.images import read_image
from distilpose_keras.detection import PRESET
from tests.docs.pages import make_material, run_page
from tests.web.test_page import TOLERANCE_PX, by_library, by_page

pytestmark = pytest.mark.slow

NAMES = ["head", "chest", "hips", "feet"]
K = len(NAMES)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where docs/own_keypoints.md has run."""
    return make_material(tmp_path_factory.mktemp("own"))


@pytest.fixture(scope="module")
def names(folder):
    """What its Python made."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return run_page("own_keypoints.md")


def test_it_is_trained_and_scored(names, folder):
    schema = names["model"].pose_config.schema
    assert (list(schema.names), schema.flip_pairs) == (NAMES, ())
    assert schema.skeleton == ((0, 1), (1, 2), (2, 3))
    losses = names["history"].history["loss"]
    assert losses[-1] < losses[0]
    # Labels of three people by hand: the middle between two of COCO's keypoints.
    truth = json.loads(
        (folder / "middle/annotations/person_keypoints_val2017.json").read_text()
    )
    whole = json.loads(
        (folder / "people/annotations/person_keypoints_val2017.json").read_text()
    )
    for own, coco in zip(
        truth["annotations"][:3], whole["annotations"][:3], strict=True
    ):
        left, right = np.reshape(coco["keypoints"], (17, 3))[[11, 12], :2]
        assert own["keypoints"][6:8] == pytest.approx((left + right) / 2, abs=0.01)
    figures = json.loads((folder / "figures.json").read_text())
    assert 0 <= figures["AP"] <= figures["AP50"] <= 1
    assert figures["instances"] > 20


def test_it_is_predicted_and_drawn(names, folder):
    assert names["poses"].keypoints.shape == (1, K, 2)
    assert (names["poses"].scores == 1).all()  # nobody taught them
    assert (names["drawn"] != names["picture"]).any()
    (pose,) = json.loads((folder / "drawn/poses.json").read_text())
    assert len(pose["keypoints"]) == 3 * K
    assert cv2.imread(str(folder / "drawn/photo.jpg")) is not None


def test_it_is_followed(names, folder):
    assert names["followed"].keypoints.shape[1:] == (K, 2)
    with open(folder / "followed/poses.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [c for c in rows[0] if c.endswith("_x")] == [f"{name}_x" for name in NAMES]
    numbers = {row["track_id"] for row in rows} - {""}
    assert numbers and all(number.isdecimal() for number in numbers)
    # Somebody keeps a number from one look for people (1st, 4th... frame) to another.
    frames = {n: {int(r["frame"]) for r in rows if r["track_id"] == n} for n in numbers}
    assert max(map(len, frames.values())) > 3


def test_it_runs_in_the_page(names, folder, serve, open_page):
    path, photo = folder / "middle.tflite", folder / "photo.png"
    cv2.imwrite(str(photo), cv2.imread(str(folder / "photo.jpg")))
    page = open_page(serve(path, finder=PRESET))
    page.page.click("#whole")
    (pose,) = page.show(photo)
    assert page.page.locator("#keypoints .name").all_inner_texts() == NAMES
    expected = by_library(path, read_image(photo), pose)
    assert np.abs(by_page(pose) - expected)[:, :2].max() < TOLERANCE_PX
