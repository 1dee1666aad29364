"""Pictures in and out: folders, damaged files, videos."""

import cv2
import numpy as np
import pytest

from distilpose_keras.picture_writer import PictureWriter
from distilpose_keras.pictures import PictureSource


def write(path, value=128, size=(40, 60)):
    path.parent.mkdir(exist_ok=True, parents=True)
    cv2.imwrite(str(path), np.full((*size, 3), value, np.uint8))
    return path


def write_video(path, values, codec="mp4v", fps=10):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), fps, (64, 48))
    assert writer.isOpened()
    noise = np.random.default_rng(0).integers(-20, 20, (48, 64, 3))
    for value in values:
        writer.write((noise + value).astype(np.uint8))
    writer.release()
    return path


@pytest.fixture
def video(tmp_path):
    return write_video(tmp_path / "clip.mp4", (40, 120, 200))


def test_a_folder_gives_its_images_by_name(tmp_path):
    write(tmp_path / "in" / "b.png", 10)
    write(tmp_path / "in" / "a.JPG", 20)
    (tmp_path / "in" / "notes.txt").write_text("not a picture")
    source = PictureSource([tmp_path / "in"])
    pictures = list(source)
    assert len(source) == 2
    assert [p.file_name for p in pictures] == ["a.JPG", "b.png"]
    assert [p.image_id for p in pictures] == [1, 2]
    assert pictures[1].image[0, 0].tolist() == [10, 10, 10]


def test_what_is_named_like_a_picture_in_a_folder_need_not_be_one(tmp_path):
    write(tmp_path / "IMG_1.jpg")
    (tmp_path / "._IMG_1.jpg").write_bytes(b"\0\5\x16\7 attributes of macOS")
    (tmp_path / "album.jpg").mkdir()
    (picture,) = PictureSource([tmp_path])
    assert picture.file_name == "IMG_1.jpg"


def test_images_numbered_as_in_coco_keep_their_ids(tmp_path):
    names = ["000000000139.jpg", "000000000785.jpg"]
    files = [write(tmp_path / name) for name in names]
    assert [p.image_id for p in PictureSource(files)] == [139, 785]


def test_colors_are_read_and_written_as_rgb(tmp_path):
    path = tmp_path / "red.png"
    cv2.imwrite(str(path), np.full((8, 8, 3), (0, 0, 255), np.uint8))  # BGR
    (picture,) = PictureSource([path])
    assert picture.image[0, 0].tolist() == [255, 0, 0]
    writer = PictureWriter(tmp_path / "out")
    writer.write(picture, picture.image)
    assert cv2.imread(str(tmp_path / "out" / "red.png"))[0, 0].tolist() == [0, 0, 255]


def test_a_damaged_image_does_not_stop_the_others(tmp_path):
    good = write(tmp_path / "a.jpg")
    bad = write(tmp_path / "b.jpg", size=(400, 600))
    bad.write_bytes(bad.read_bytes()[:1500])
    first, second, third = PictureSource([good, bad, write(tmp_path / "c.jpg")])
    assert first.error is None and third.error is None
    assert second.image is None
    assert "b.jpg" in second.error and "\n" not in second.error


def test_frames_of_a_video_are_numbered(video):
    source = PictureSource([video])
    frames = list(source)
    assert len(source) == 3
    assert [p.frame for p in frames] == [p.image_id for p in frames] == [1, 2, 3]
    means = [p.image.mean() for p in frames]
    np.testing.assert_allclose(means, [40, 120, 200], atol=6)
    assert len(list(PictureSource([video], max_frames=2))) == 2
    with pytest.raises(ValueError, match="at least 1. Received: 0"):
        PictureSource([video], max_frames=0)


def test_a_damaged_video_is_reported(tmp_path):
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"no video")
    (picture,) = PictureSource([path])
    assert "clip.mp4" in picture.error


@pytest.mark.parametrize("codec", ["MJPG", "XVID"])
def test_a_video_cut_in_half_says_how_much_of_it_was_read(tmp_path, codec):
    path = write_video(tmp_path / "walk.avi", range(20, 220, 4), codec)
    assert len(list(PictureSource([path]))) == 50
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    *frames, last = PictureSource([path])
    assert 5 < len(frames) < 30
    assert all(frame.error is None for frame in frames)
    said = f"walk.avi has 50 frames, of which {len(frames)} can be read"
    assert last.image is None and last.error.endswith(said)
    assert len(list(PictureSource([path], max_frames=4))) == 4  # none is missing


def test_frames_behind_a_damaged_one_keep_their_numbers(tmp_path):
    path = write_video(tmp_path / "walk.avi", range(20, 220, 4), "MJPG")
    content = bytearray(path.read_bytes())
    middle = content.index(b"00dc", len(content) // 2)  # a frame: its header, its size
    size = int.from_bytes(content[middle + 4 : middle + 8], "little")
    content[middle + 8 : middle + 8 + size] = bytes(size)
    path.write_bytes(content)
    *frames, last = PictureSource([path])
    assert last.error.endswith("has 50 frames, of which 49 can be read")
    for frame in frames:
        assert frame.image.mean() == pytest.approx(16 + 4 * frame.frame, abs=3)


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("nowhere", "input not found"),
        ("notes.txt", "must be an image"),
        ("", "no images"),
    ],
)
def test_other_inputs_are_refused(tmp_path, name, complaint):
    (tmp_path / "notes.txt").write_text("text")
    with pytest.raises(ValueError, match=complaint):
        PictureSource([tmp_path / name])


def test_two_images_of_one_name_are_refused(tmp_path):
    files = [write(tmp_path / folder / "x.png") for folder in ("a", "b")]
    with pytest.raises(
        ValueError, match=r"different file names. Received: \['x.png'\]"
    ):
        PictureSource(files)
