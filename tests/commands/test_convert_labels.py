"""`distilpose convert-labels`: what it prints, and one line on mistakes."""

import pytest

from distilpose_keras.synthetic.dataset import render_dataset


@pytest.fixture
def convert(command):
    return command("convert-labels")


def test_there_and_back(convert, tmp_path, capsys):
    render_dataset(tmp_path / "coco", train_images=2, val_images=1, workers=1)
    assert convert(tmp_path / "coco", "--out", tmp_path / "yolo") == 0
    assert "train: 2 pictures" in capsys.readouterr().out
    back = tmp_path / "back"
    assert convert(tmp_path / "yolo" / "data.yaml", "--out", back) == 0
    assert (back / "annotations" / "person_keypoints_val2017.json").is_file()
    assert len(list((back / "train2017").iterdir())) == 2


@pytest.mark.parametrize("source", ["nowhere", "data.txt", "nowhere.yaml"])
def test_mistakes_are_one_line(convert, tmp_path, mistake, source):
    (tmp_path / "data.txt").touch()
    assert convert(tmp_path / source, "--out", tmp_path / "out") == 2
    assert "must be a data.yaml or a folder" in mistake()


def test_an_empty_folder(convert, tmp_path, mistake):
    (tmp_path / "empty").mkdir()
    assert convert(tmp_path / "empty", "--out", tmp_path / "out") == 2
    assert "annotation file does not exist" in mistake()
    assert not (tmp_path / "out").exists()
