"""What is listed is what is there, and each row of a Parquet file is its picture."""

from pathlib import Path

import numpy as np
import pytest

from distilpose_keras.bulk.inputs import image_ids, list_pictures, read_pictures
from distilpose_keras.data.images import read_image

from .conftest import COUNT, DAMAGED


@pytest.fixture
def write(tmp_path):
    """Make a function that writes columns as a Parquet file."""
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")

    def to(name, **columns):
        path = tmp_path / name
        parquet.write_table(arrow.table(columns), path, row_group_size=2)
        return str(path)

    return to


def test_folders_patterns_and_files_name_each_picture_once(pictures):
    listed = list_pictures([pictures, f"{pictures}/[12].jpg", pictures / "3.jpg"])
    assert [p.name for p in listed] == [
        f"{pictures}/{n}.jpg" for n in range(1, COUNT + 1)
    ]
    assert image_ids(listed) == list(range(1, COUNT + 1))


def test_pictures_without_numbers_are_counted(pictures, write):
    paths = [str(pictures / "2.jpg"), str(pictures / "gone.jpg"), None]
    listed = list_pictures([write("some.parquet", path=paths)])
    assert [p.name for p in listed] == paths[:2]
    assert image_ids(listed) == [1, 2]
    found, gone = read_pictures(listed, [1, 2])
    np.testing.assert_array_equal(found.image, read_image(paths[0]))
    assert gone.image is None
    assert "gone.jpg" in gone.error


def test_paths_of_a_parquet_file_are_relative_to_it(pictures, write):
    table = Path(write("some.parquet", path=["2.jpg"]))
    (table.parent / "2.jpg").write_bytes((pictures / "2.jpg").read_bytes())
    (picture,) = read_pictures(list_pictures([table]), [2])
    assert picture.file_name == "2.jpg"
    np.testing.assert_array_equal(picture.image, read_image(pictures / "2.jpg"))


@pytest.mark.parametrize("named", [True, False])
def test_bytes_of_a_parquet_file_are_its_pictures(pictures, write, named):
    order = [5, DAMAGED, 1, 7, 2]
    content = [(pictures / f"{n}.jpg").read_bytes() for n in order] + [None]
    names = {"path": [f"{n}.jpg" for n in order] + [None]} if named else {}
    path = write("some.parquet", bytes=content, **names)
    listed = list_pictures([path])
    expected = names["path"][:5] if named else [f"{path}:{n}" for n in range(5)]
    assert [p.name for p in listed] == [*expected, f"{path}:5"]
    # Some of them, as in a part; the row groups are of two rows.
    chosen = [5, 3, 1, 0]
    found = list(read_pictures([listed[n] for n in chosen], chosen))
    by_name = {picture.file_name: picture for picture in found}
    assert len(found) == 4
    for n in (3, 0):
        picture = by_name[listed[n].name]
        assert picture.image_id == n
        image = read_image(pictures / f"{order[n]}.jpg")
        np.testing.assert_array_equal(picture.image, image)
    assert "truncated" in by_name[listed[1].name].error
    assert "missing" in by_name[listed[5].name].error
    (alone,) = read_pictures(listed[4:5], [4])  # after row groups that are passed over
    np.testing.assert_array_equal(alone.image, read_image(pictures / "2.jpg"))


def test_what_holds_no_pictures_is_refused(tmp_path, write):
    with pytest.raises(ValueError, match="must have a column 'path' or 'bytes'"):
        list_pictures([write("other.parquet", number=[1])])
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    with pytest.raises(ValueError, match="broken.parquet is not a Parquet file"):
        list_pictures([tmp_path / "broken.parquet"])
    with pytest.raises(ValueError, match="input not found"):
        list_pictures([tmp_path / "none.parquet"])
    (tmp_path / "walk.mp4").touch()
    with pytest.raises(ValueError, match="no videos. Received: .*walk.mp4"):
        list_pictures([tmp_path / "walk.mp4"])
