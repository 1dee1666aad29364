"""`distilpose predict`: pictures and COCO-format JSON, and one line on mistakes."""

import json
import subprocess
import sys

import cv2
import numpy as np
import pytest


@pytest.fixture
def predict(command):
    return command("predict")


@pytest.fixture
def folder(tmp_path):
    """Two pictures, numbered as in COCO."""
    path = tmp_path / "pictures"
    path.mkdir()
    rng = np.random.default_rng(0)
    for number in (7, 12):
        noise = rng.integers(0, 256, (120, 160, 3)).astype(np.uint8)
        cv2.imwrite(str(path / f"{number:012}.jpg"), noise)
    return path


def test_boxes_of_a_file_give_poses_in_coco_format(predict, model, folder, tmp_path):
    boxes = tmp_path / "boxes.json"
    entries = [
        {"image_id": 12, "category_id": 1, "bbox": [10, 20, 60, 80], "score": 0.5},
        {"image_id": 12, "category_id": 1, "bbox": [70, 20, 60, 80], "score": 0.1},
    ]
    boxes.write_text(json.dumps(entries))
    out = tmp_path / "out"
    assert predict(model, folder, "--boxes", boxes, "--out", out) == 0
    poses = json.loads((out / "poses.json").read_text())
    assert [pose["bbox"] for pose in poses] == [[10, 20, 60, 80], [70, 20, 60, 80]]
    for pose in poses:
        assert pose["file_name"] == "000000000012.jpg"
        assert (pose["image_id"], pose["category_id"]) == (12, 1)
        assert len(pose["keypoints"]) == 17 * 3
    # The picture without people is there too, as it was.
    assert sorted(p.name for p in out.iterdir()) == [
        "000000000007.jpg",
        "000000000012.jpg",
        "poses.json",
        "poses.jsonl",
    ]
    drawn = cv2.imread(str(out / "000000000012.jpg")).astype(int)
    original = cv2.imread(str(folder / "000000000012.jpg")).astype(int)
    assert np.abs(drawn - original).max() > 60


# The command where importing Keras or a backend ends it.
WITHOUT_KERAS = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("keras", "tensorflow", "jax", "torch"):
            sys.exit(f"{name} is imported")

sys.meta_path.insert(0, Refuse())
import distilpose_keras.commands.main
sys.meta_path.insert(0, Refuse())  # before who waits for Keras, too
distilpose_keras.commands.main.main(sys.argv[1:])
"""


def test_the_preset_needs_no_keras(folder, tmp_path):
    out = tmp_path / "out"
    command = [sys.executable, "-c", WITHOUT_KERAS, "predict", folder, "--out", out]
    done = subprocess.run(
        [*command, "--whole-image"], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert len(json.loads((out / "poses.json").read_text())) == 2


def test_whole_image_is_one_person(predict, model, folder, tmp_path):
    out = tmp_path / "out"
    assert predict(model, folder, "--whole-image", "--flip", "--out", out) == 0
    poses = json.loads((out / "poses.json").read_text())
    assert [pose["image_id"] for pose in poses] == [7, 12]
    assert poses[0]["bbox"] == [0, 0, 160, 120]


def test_nobody_found_is_an_empty_list(predict, model, tmp_path, capsys):
    picture = tmp_path / "empty.png"
    cv2.imwrite(str(picture), np.full((240, 320, 3), 90, np.uint8))
    out = tmp_path / "out"
    assert predict(model, picture, "--out", out) == 0
    assert json.loads((out / "poses.json").read_text()) == []
    assert "0 people in 1 pictures" in capsys.readouterr().out


def test_a_truncated_picture_is_named_and_the_others_are_kept(
    predict, model, folder, tmp_path, mistake
):
    bad = folder / "000000000009.jpg"
    bad.write_bytes((folder / "000000000007.jpg").read_bytes()[:2000])
    out = tmp_path / "out"
    assert predict(model, folder, "--whole-image", "--out", out) == 2
    line = mistake()
    assert "1 of 3 inputs skipped" in line and "000000000009.jpg" in line
    poses = json.loads((out / "poses.json").read_text())
    assert [pose["image_id"] for pose in poses] == [7, 12]


def test_an_output_folder_with_files_is_kept(predict, model, folder, tmp_path, mistake):
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("keep")
    assert predict(model, folder, "--whole-image", "--out", out) == 2
    assert "--overwrite" in mistake()
    assert [p.name for p in out.iterdir()] == ["mine.txt"]
    assert predict(model, folder, "--whole-image", "--out", out, "--overwrite") == 0


def test_pictures_are_never_overwritten(predict, model, folder, mistake):
    arguments = ("--whole-image", "--overwrite", "--out", folder)
    assert predict(model, folder, *arguments) == 2
    assert "must not be the folder of the pictures" in mistake()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["none.keras", "FOLDER"], "none.keras"),
        (["MODEL", "nowhere.jpg"], "input not found: nowhere.jpg"),
        (["distilpose_nanoo", "FOLDER"], "did you mean 'distilpose_nano'?"),
        (["MODEL", "FOLDER", "--boxes", "none.json"], "none.json"),
    ],
)
def test_mistakes_are_one_line(
    predict, model, folder, tmp_path, mistake, arguments, complaint
):
    names = {"MODEL": model, "FOLDER": folder}
    given = [names.get(argument, argument) for argument in arguments]
    if "--boxes" not in given:
        given.append("--whole-image")
    assert predict(*given, "--out", tmp_path / "out") == 2
    assert complaint in mistake()
    assert not (tmp_path / "out").exists()
