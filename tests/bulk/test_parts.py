"""Parts of a job in one process: what they hold, and what is left after a stop."""

import json
from dataclasses import replace

import pytest

from distilpose_keras.bulk.inputs import list_pictures
from distilpose_keras.bulk.parts import (
    PART,
    Part,
    PartMaker,
    finished,
    missing_parts,
    open_job,
    part_files,
    part_of_values,
    part_size,
    remove_job,
)
from distilpose_keras.data.images import read_image
from distilpose_keras.predictor import PosePredictor

from .conftest import COUNT, DAMAGED

parquet = pytest.importorskip("pyarrow.parquet")


def test_a_part_has_a_row_for_every_picture(pictures, settings, tmp_path):
    listed = list_pictures([pictures])
    (part,) = missing_parts(tmp_path, listed, set(), size=100)
    made = PartMaker(tmp_path, settings).make(part)
    assert made == {"part": 1, "pictures": 9, "people": 8, "errors": 1}
    rows = parquet.read_table(tmp_path / "part-000001.parquet").to_pylist()
    assert [row["file_name"] for row in rows] == [picture.name for picture in listed]
    assert [row["image_id"] for row in rows] == list(range(1, COUNT + 1))
    damaged = rows.pop(DAMAGED - 1)
    assert "truncated" in damaged["error"]
    assert damaged["person"] is damaged["nose_x"] is None
    for row in rows:
        assert row["error"] is None
        assert (row["person"], row["width"], row["height"]) == (1, 80, 60)
    expected = PosePredictor(settings.model).predict(
        read_image(pictures / "1.jpg"), [[0, 0, 80, 60]]
    )
    x, y = expected.keypoints[0, 0]
    assert (rows[0]["nose_x"], rows[0]["nose_y"]) == pytest.approx((x, y), abs=0.01)


def test_boxes_are_of_a_file_name_and_nobody_is_a_row_too(pictures, settings, tmp_path):
    boxes = tmp_path / "boxes.json"
    entries = [{"file_name": "2.jpg", "bbox": [5, 5, 30, 40], "score": 0.5}]
    boxes.write_text(json.dumps(entries))
    listed = list_pictures([pictures / "1.jpg", pictures / "2.jpg"])
    maker = PartMaker(tmp_path, replace(settings, whole_image=False, boxes=str(boxes)))
    maker.make(Part(7, listed, [1, 2]))
    rows = parquet.read_table(tmp_path / "part-000007.parquet").to_pylist()
    assert [row["person"] for row in rows] == [None, 1]
    assert rows[1]["left"] == 5
    assert finished(tmp_path) == {picture.name for picture in listed}


def test_what_is_finished_is_not_cut_again(pictures, settings, tmp_path):
    assert open_job(tmp_path, settings) == set()
    listed = list_pictures([pictures])
    parts = missing_parts(tmp_path, listed, set(), size=4)
    assert [part.number for part in parts] == [1, 2, 3]
    assert [len(part.pictures) for part in parts] == [4, 4, 1]
    PartMaker(tmp_path, settings).make(parts[1])
    (tmp_path / ".part-000001.partial-x.parquet").touch()  # its maker was killed
    done = open_job(tmp_path, settings)
    assert done == {picture.name for picture in listed[4:8]}
    assert [path.name for path in part_files(tmp_path)] == ["part-000002.parquet"]
    assert not list(tmp_path.glob(".*"))
    again = missing_parts(tmp_path, listed, done, size=4)
    assert [part.number for part in again] == [3, 4]
    assert [part.ids for part in again] == [[1, 2, 3, 4], [9]]


def test_a_folder_of_something_else_is_left_alone(settings, tmp_path):
    (tmp_path / "photo.jpg").touch()
    remove_job(tmp_path)
    with pytest.raises(ValueError, match="holds no job: it has no _job.json"):
        open_job(tmp_path, settings)
    assert [path.name for path in tmp_path.iterdir()] == ["photo.jpg"]


def test_a_job_goes_on_with_the_same_settings_only(settings, tmp_path):
    out = tmp_path / "out"
    open_job(out, settings)
    with pytest.raises(ValueError, match="started with another model or other options"):
        open_job(out, replace(settings, flip=True))
    (tmp_path / "copy.onnx").write_bytes(open(settings.model, "rb").read())
    open_job(out, replace(settings, model=str(tmp_path / "copy.onnx")))
    (out / "_job.json").write_text("{")
    with pytest.raises(ValueError, match="started with another"):
        open_job(out, settings)
    (out / "part-000001.parquet").touch()
    remove_job(out)
    assert not list(out.iterdir())


def test_a_damaged_part_is_named(settings, tmp_path):
    open_job(tmp_path, settings)
    (tmp_path / "part-000001.parquet").write_bytes(b"PAR1")
    with pytest.raises(ValueError, match=r"part-000001.parquet is damaged .*: remove"):
        open_job(tmp_path, settings)


def test_parts_are_small_enough_for_all_workers():
    assert part_size(9, 2) == 2
    assert part_size(3, 8) == 1
    assert part_size(1_000_000, 16) == PART


def test_a_part_survives_an_engine_that_makes_lists_of_tuples(pictures):
    part = Part(3, list_pictures([pictures])[:2], [1, 2])
    number, listed, ids = json.loads(json.dumps(part))
    assert part_of_values(number, listed, ids) == part
