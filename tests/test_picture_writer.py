"""Pictures and videos that are written into a folder."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from distilpose_keras.picture_writer import PictureWriter
from distilpose_keras.pictures import Picture, PictureSource
from tests.video.clips import write_video


@pytest.fixture
def video(tmp_path):
    return write_video(tmp_path / "clip.mp4", (40, 120, 200))


def test_a_video_is_written_as_video(video, tmp_path):
    writer = PictureWriter(tmp_path / "out")
    for picture in PictureSource([video]):
        writer.write(picture, 255 - picture.image)
    writer.close()
    copies = list(PictureSource([tmp_path / "out" / "clip.mp4"]))
    np.testing.assert_allclose(
        [p.image.mean() for p in copies], [215, 135, 55], atol=14
    )
    assert copies[0].fps == pytest.approx(10)


@pytest.mark.parametrize("fps", [211.222, 119.8812, 29.97, 0.5, 1e6, float("nan")])
def test_every_frame_rate_can_be_written(video, tmp_path, fps):
    writer = PictureWriter(tmp_path / "out")
    for picture in PictureSource([video]):
        writer.write(replace(picture, fps=fps, seconds=None), picture.image)
    writer.close()
    copies = list(PictureSource([tmp_path / "out" / "clip.mp4"]))
    assert len(copies) == 3
    expected = fps if fps < 1e5 else 25
    assert copies[0].fps == pytest.approx(expected, rel=2e-5)


def test_videos_of_one_stem_stay_apart(tmp_path):
    for number, name in enumerate(("walk.avi", "walk.mov")):
        write_video(tmp_path / name, [60 + 100 * number] * 4)
    writer = PictureWriter(tmp_path / "out")
    for picture in PictureSource([tmp_path / "walk.avi", tmp_path / "walk.mov"]):
        writer.write(picture, picture.image)
    writer.close()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "walk.mov.mp4",
        "walk.mp4",
    ]
    for name, value in {"walk.mp4": 60, "walk.mov.mp4": 160}.items():
        copies = list(PictureSource([tmp_path / "out" / name]))
        means = [copy.image.mean() for copy in copies]
        np.testing.assert_allclose(means, [value] * 4, atol=6)


def test_a_video_has_its_name_only_when_it_is_closed(video, tmp_path):
    out = tmp_path / "out"
    writer = PictureWriter(out)
    for picture in PictureSource([video]):
        writer.write(picture, picture.image)
    assert not (out / "clip.mp4").exists()
    writer.close()
    assert [path.name for path in out.iterdir()] == ["clip.mp4"]


def test_people_are_cut_out_at_their_boxes(tmp_path):
    image = np.zeros((60, 80, 3), np.uint8)
    image[10:30, 20:50] = (255, 0, 0)
    writer = PictureWriter(tmp_path)
    boxes = [[20, 10, 30, 20], [-5, 40, 20, 50], [90, 10, 5, 5]]
    writer.write_crops(Picture("a.png", 1, image), boxes)
    writer.write_crops(Picture("w.avi", 1, image, frame=12, fps=25), boxes[:1])
    folder = tmp_path / "crops"
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.jpg"))
    assert files == ["a.png/1.jpg", "a.png/2.jpg", "w.avi/000012_1.jpg"]
    crop = cv2.imread(str(folder / "a.png" / "1.jpg"))
    assert crop.shape == (20, 30, 3) and crop[10, 15, 2] > 200
    assert cv2.imread(str(folder / "a.png" / "2.jpg")).shape == (20, 15, 3)
