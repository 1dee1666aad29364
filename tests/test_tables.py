"""Poses as tables: what is written is read back by the readers of others."""

import builtins
import csv

import pytest

from distilpose_keras import tables

NAMES = ("nose", "tail")
RECORDS = [
    {
        "file_name": "a, b.jpg",
        "image_id": 7,
        "people": [
            {
                "bbox": [1.5, 2, 30, 40],
                "score": 0.25,
                "keypoints": [5.5, 6, 0.5, 7, 8, 1],
            },
            {"bbox": [0, 0, 3, 4], "score": 1, "keypoints": [1, 2, 3, 4, 5, 6]},
        ],
    },
    {"file_name": "b.jpg", "image_id": 8, "error": "damaged"},
    {
        "file_name": "w.avi",
        "image_id": 9,
        "frame": 12,
        "seconds": 0.44,
        "people": [
            {"bbox": [0, 0, 3, 4], "score": 1, "keypoints": [0] * 6, "track_id": 3}
        ],
    },
]
EXPECTED = [
    ["a, b.jpg", 7, None, None, 1, None, 1.5, 2, 30, 40, 0.25, 5.5, 6, 0.5, 7, 8, 1],
    ["a, b.jpg", 7, None, None, 2, None, 0, 0, 3, 4, 1, 1, 2, 3, 4, 5, 6],
    ["w.avi", 9, 12, 0.44, 1, 3, 0, 0, 3, 4, 1, 0, 0, 0, 0, 0, 0],
]
HEADINGS = (
    "file_name image_id frame seconds person track_id left top width height score "
    "nose_x nose_y nose_score tail_x tail_y tail_score"
).split()


def test_csv_has_a_row_per_person(tmp_path):
    tables.write_table(tmp_path / "p.csv", RECORDS, NAMES)
    with open(tmp_path / "p.csv", newline="") as file:
        headings, *rows = csv.reader(file)
    assert headings == HEADINGS
    assert rows == [["" if v is None else str(v) for v in row] for row in EXPECTED]


def test_parquet_has_types(tmp_path, monkeypatch):
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr(tables, "ROWS", 2)  # more than one part
    tables.write_table(tmp_path / "p.parquet", RECORDS, NAMES)
    table = parquet.read_table(tmp_path / "p.parquet")
    assert table.column_names == HEADINGS
    assert [list(row.values()) for row in table.to_pylist()] == EXPECTED
    kinds = {name: str(table.schema.field(name).type) for name in HEADINGS}
    assert kinds["file_name"] == "string" and kinds["track_id"] == "int64"
    assert kinds["seconds"] == kinds["nose_x"] == "double"


def test_nobody_is_an_empty_table(tmp_path):
    for suffix in ("csv", "parquet"):
        if suffix == "parquet":
            pytest.importorskip("pyarrow")
        tables.write_table(tmp_path / f"p.{suffix}", [], NAMES)
        assert (tmp_path / f"p.{suffix}").stat().st_size > 50


def test_mistakes_are_one_line(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"must end in .csv or .parquet. Received"):
        tables.check_table(tmp_path / "p.xlsx")
    found = builtins.__import__

    def without_arrow(name, *rest):
        if name.startswith("pyarrow"):
            raise ModuleNotFoundError(name)
        return found(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_arrow)
    with pytest.raises(ModuleNotFoundError, match=r"pip install .*\[parquet\]"):
        tables.check_table(tmp_path / "p.parquet")


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_every_picture_has_a_row_on_demand(tmp_path, kind):
    if kind == "parquet":
        parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / f"p.{kind}"
    nobody = {"file_name": "c.jpg", "image_id": 10, "people": []}
    tables.write_table(path, [*RECORDS, nobody], NAMES, every_picture=True)
    if kind == "parquet":
        table = parquet.read_table(path)
        headings = table.column_names
        rows = [list(row.values()) for row in table.to_pylist()]
        nothing, person = None, EXPECTED[0]
    else:
        with open(path, newline="") as file:
            headings, *rows = csv.reader(file)
        nothing = ""
        person = ["" if v is None else str(v) for v in EXPECTED[0]]
    assert headings == [*HEADINGS, "error"]
    assert len(rows) == 5
    assert rows[0] == [*person, nothing]
    assert rows[2][0] == "b.jpg" and rows[2][-1] == "damaged"
    assert rows[4] == ["c.jpg", type(rows[4][1])(10), *[nothing] * 16]
    assert set(rows[2][2:-1]) == {nothing}
