"""The page of a check shows the worst cases."""

import base64
import re

import cv2
import numpy as np

from distilpose_keras import check_dataset
from distilpose_keras.checking.page import write_check_page
from distilpose_keras.checking.problems import Example, Problem
from distilpose_keras.checking.sheet import COLUMNS, TILE, contact_sheet
from distilpose_keras.keypoints import COCO_17


def test_a_contact_sheet_shows_the_person_of_each_case(data):
    check = check_dataset(data.folder, pictures=False)
    picture = data.picture("train", 1)
    cv2.imwrite(str(picture), np.zeros((240, 320, 3), np.uint8))
    person = np.full((17, 2), 100.0) + np.arange(17)[:, None]
    box, flags = np.array([95, 95, 30, 30.0]), np.full(17, 2)
    case = Example("a", picture, (240, 320), box, person, flags)
    gone = Example("gone", data.folder / "gone.jpg")
    cases = (case, gone, *[Example(f"{n}", picture) for n in range(4)])
    problem = Problem("odd people", "train", 6, 12, False, cases)
    sheet, texts = contact_sheet(problem, check.schemas["train"])
    assert texts == ["a", "0", "1", "2", "3"]
    assert sheet.shape == (2 * TILE[0], COLUMNS * TILE[1], 3)
    # The picture is black: what is not is the drawing, in the first tile only.
    assert sheet[: TILE[0], : TILE[1]].any()
    assert not sheet[: TILE[0], TILE[1] :].any()
    assert contact_sheet(Problem("x", "y", 1, 1, True, (gone,)), COCO_17) is None


def test_the_page_has_counts_texts_pictures_and_statistics(data, tmp_path):
    data.documents["train"]["annotations"][7]["bbox"] = [1, 1, 20, 20]
    data.documents["train"]["images"][0]["file_name"] = "<gone>.jpg"
    data.write()
    path = tmp_path / "page" / "check.html"
    write_check_page(path, check_dataset(data.folder))
    page = path.read_text(encoding="utf-8")
    assert "boxes that do not hold their keypoints" in page
    assert "8.jpg, annotation 1008" in page
    assert "&lt;gone&gt;.jpg" in page and "<gone>" not in page
    assert "left_shoulder" in page
    (encoded,) = re.findall(r"data:image/jpeg;base64,([^\"]+)", page)
    image = cv2.imdecode(np.frombuffer(base64.b64decode(encoded), np.uint8), 1)
    assert image.shape == (*TILE, 3)
