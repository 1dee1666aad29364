"""`distilpose predict` on videos, cameras, streams, patterns: what is written, kept."""

import csv
import json
import os
import threading

import cv2
import numpy as np
import pytest

from distilpose_keras import pictures
from distilpose_keras.video.mp4_times import set_frame_times
from distilpose_keras.video.reading import VideoFrames
from tests.faults.commands import onnx_student
from tests.video import clips


@pytest.fixture(scope="session")
def student(tmp_path_factory):
    path = tmp_path_factory.mktemp("student") / "student.onnx"
    path.write_bytes(onnx_student())
    return path


@pytest.fixture
def predict(command, student, tmp_path):
    """Run the command on inputs, a person in each; return its exit code."""
    run = command("predict")

    def predict(*arguments):
        out = ("--out", tmp_path / "out")
        return run(student, *arguments, "--whole-image", *out)

    return predict


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def lines(out):
    return [json.loads(line) for line in (out / "poses.jsonl").read_text().splitlines()]


def test_a_video_gives_a_video_lines_results_and_a_table(predict, tmp_path, out):
    path = clips.write_video(tmp_path / "walk.avi", range(20, 100, 4), "MJPG", fps=20)
    assert predict(path, "--table", "csv") == 0
    names = sorted(path.name for path in out.iterdir())
    assert names == ["poses.csv", "poses.json", "poses.jsonl", "walk.mp4"]
    records = lines(out)
    assert [record["frame"] for record in records] == list(range(1, 21))
    seconds = [record["seconds"] for record in records]
    np.testing.assert_allclose(seconds, np.arange(20) / 20, atol=1e-5)
    assert {(record["width"], record["height"]) for record in records} == {(64, 48)}
    poses = json.loads((out / "poses.json").read_text())
    assert [pose["frame"] for pose in poses] == list(range(1, 21))
    assert poses[3]["keypoints"] == records[3]["people"][0]["keypoints"]
    with open(out / "poses.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 20 and rows[3]["nose_x"] == str(poses[3]["keypoints"][0])
    assert len(list(VideoFrames(out / "walk.mp4"))) == 20


def test_what_is_written_can_be_chosen(predict, tmp_path, out):
    path = clips.write_video(tmp_path / "walk.mp4", range(20, 60, 4))
    assert predict(path, "--no-draw", "--save-crops", "--frames", 3) == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "crops",
        "poses.json",
        "poses.jsonl",
    ]
    crops = sorted((out / "crops" / "walk.mp4").iterdir())
    assert [crop.name for crop in crops] == [f"00000{n}_1.jpg" for n in (1, 2, 3)]
    assert cv2.imread(str(crops[0])).shape == (48, 64, 3)
    assert predict(path, "--conf", 1.5, "--overwrite") == 0
    assert json.loads((out / "poses.json").read_text()) == []
    assert len(lines(out)) == 10


def test_patterns_and_folders_take_pictures_and_videos(predict, tmp_path, out):
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    for name in ("b.png", "deep/a.jpg"):
        cv2.imwrite(str(folder / name), np.full((40, 50, 3), 90, np.uint8))
    clips.write_video(folder / "walk.mp4", [60] * 3)
    (folder / "notes.txt").write_text("text")
    assert predict(f"{folder}/**/*") == 0
    found = [record["file_name"] for record in lines(out)]
    assert found == ["b.png", "a.jpg", *["walk.mp4"] * 3]
    assert predict(folder, "--overwrite") == 0
    assert len(lines(out)) == 4


def test_a_stream_of_pictures_is_a_video(predict, tmp_path, out, monkeypatch):
    frames = []
    for value in range(20, 100, 8):
        image = np.full((48, 64, 3), value, np.uint8)
        frames.append(cv2.imencode(".jpg", image)[1].tobytes())
    frames[4] = frames[4][:300]
    reader, writer = os.pipe()
    monkeypatch.setattr(pictures, "STDIN", reader)
    feeding = threading.Thread(
        target=lambda: (os.write(writer, b"".join(frames)), os.close(writer))
    )
    feeding.start()
    assert predict("-", "--fps", 50) == 2
    feeding.join()
    os.close(reader)
    *good, last = lines(out)
    assert [record["frame"] for record in good] == [1, 2, 3, 4, 6, 7, 8, 9, 10]
    said = "standard input had 10 pictures, of which 9 can be read"
    assert last["error"] == said
    video = VideoFrames(out / "stdin.mp4")
    assert len(list(video)) == 9 and video.fps == pytest.approx(50)


def test_another_stream_is_refused(predict, mistake, monkeypatch):
    reader, writer = os.pipe()
    monkeypatch.setattr(pictures, "STDIN", reader)
    os.write(writer, b"RIFF\0\0\0\0AVI LIST")
    os.close(writer)
    assert predict("-") == 2
    os.close(reader)
    assert "must be JPEG or PNG pictures" in mistake()


def test_a_damaged_frame_is_said_and_the_others_are_kept(
    predict, tmp_path, out, mistake
):
    path = clips.write_video(tmp_path / "walk.avi", range(20, 100, 4), "MJPG")
    assert predict(clips.blank_frame(path)) == 2
    assert "walk.avi has 20 frames, of which 19 can be read" in mistake()
    assert len(json.loads((out / "poses.json").read_text())) == 19
    assert len(list(VideoFrames(out / "walk.mp4"))) == 19


@pytest.mark.parametrize(("codec", "suffix"), [("MJPG", "avi"), ("mp4v", "mkv")])
def test_a_video_that_ends_early_is_said(
    predict, tmp_path, out, mistake, codec, suffix
):
    path = tmp_path / f"walk.{suffix}"
    clips.cut(clips.write_video(path, range(20, 220, 4), codec))
    assert predict(path) == 2
    kept = len(json.loads((out / "poses.json").read_text()))
    line = mistake()
    assert "50 frames" in line and f"of which {kept} can be read" in line
    assert len(list(VideoFrames(out / "walk.mp4"))) == kept > 5


def test_variable_frame_rates_stay_variable(predict, tmp_path, out):
    path = clips.write_video(tmp_path / "phone.mp4", range(20, 60, 4), fps=30)
    times = [0, 0.03, 0.07, 0.1, 0.5, 0.53, 0.9, 1.4, 1.43, 1.47]
    assert set_frame_times(path, times, 0.03)
    assert predict(path) == 0
    seconds = [record["seconds"] for record in lines(out)]
    np.testing.assert_allclose(seconds, times, atol=1e-4)
    np.testing.assert_allclose(clips.seconds_of(out / "phone.mp4"), times, atol=1e-4)


@pytest.mark.parametrize("fps", [211.22, 119.88, 1000])
def test_odd_frame_rates_are_kept(predict, tmp_path, out, fps):
    path = clips.write_video(tmp_path / "odd.mp4", range(20, 60, 4), fps=fps)
    assert predict(path) == 0
    video = VideoFrames(out / "odd.mp4")
    assert len(list(video)) == 10 and video.fps == pytest.approx(fps, rel=1e-4)


def test_a_turned_video_is_written_upright(predict, tmp_path, out):
    path = clips.write_video(tmp_path / "phone.mp4", [60] * 3)
    assert predict(clips.turn(path, clips.TURNED_90)) == 0
    assert lines(out)[0]["height"] == 64
    (frame, *_) = VideoFrames(out / "phone.mp4")
    assert frame.image.shape == (64, 48, 3)


def test_videos_of_one_stem_are_all_written(predict, tmp_path, out):
    inputs = [
        clips.write_video(tmp_path / f"walk.{suffix}", [60] * count)
        for suffix, count in (("mp4", 2), ("mov", 3))
    ]
    assert predict(*inputs) == 0
    assert len(list(VideoFrames(out / "walk.mp4"))) == 2
    assert len(list(VideoFrames(out / "walk.mov.mp4"))) == 3


def test_an_error_in_the_middle_keeps_what_was_computed(
    predict, tmp_path, out, mistake, monkeypatch
):
    path = clips.write_video(tmp_path / "walk.mp4", range(20, 220, 4))
    from distilpose_keras.predictor import PosePredictor

    whole, calls = PosePredictor.predict, []

    def fails(*args, **kwargs):
        calls.append(1)
        if len(calls) == 21:
            raise OSError("the model has gone")
        return whole(*args, **kwargs)

    monkeypatch.setattr(PosePredictor, "predict", fails)
    assert predict(path) == 2
    assert "the model has gone" in mistake()
    assert len(json.loads((out / "poses.json").read_text())) == 20
    assert len(list(VideoFrames(out / "walk.mp4"))) == 20


def test_an_interrupt_keeps_what_was_computed(predict, tmp_path, out, monkeypatch):
    path = clips.write_video(tmp_path / "walk.mp4", [60] * 500)
    from distilpose_keras.video.annotate import Annotator

    whole = Annotator.record

    def interrupts(self, item):
        if item.picture.frame == 30:
            import signal

            signal.raise_signal(signal.SIGINT)
        return whole(self, item)

    monkeypatch.setattr(Annotator, "record", interrupts)
    assert predict(path) == 130
    count = len(lines(out))
    assert 29 <= count < 60
    assert len(json.loads((out / "poses.json").read_text())) == count
    assert len(list(VideoFrames(out / "walk.mp4"))) == count


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["97"], "no picture comes from camera 97"),
        (["rtsp://camera/1"], "addresses are not opened: let ffmpeg"),
        (["none/*.jpg"], "no images or videos match the pattern"),
        (["EMPTY"], "no video can be read from"),
        (["TEXT"], "words.jpg"),
        (["VIDEO", "--show"], "--show needs"),
        (["VIDEO", "--table", "xlsx"], "invalid choice: 'xlsx'"),
    ],
)
def test_mistakes_are_one_line(
    predict, tmp_path, mistake, monkeypatch, arguments, complaint
):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    (tmp_path / "words.jpg").write_text("not a picture")
    names = {
        "EMPTY": clips.write_video(tmp_path / "empty.mp4", []),
        "TEXT": tmp_path / "words.jpg",
        "VIDEO": clips.write_video(tmp_path / "walk.mp4", [60] * 2),
    }
    assert predict(*[names.get(a, a) for a in arguments]) == 2
    assert complaint in mistake()


def test_videos_are_never_overwritten(predict, tmp_path, out, mistake):
    out.mkdir()
    path = clips.write_video(out / "walk.mp4", [60] * 2)
    assert predict(path, "--overwrite") == 2
    assert "must not be the folder of the pictures" in mistake()


def test_pictures_are_shown_until_the_user_ends(predict, tmp_path, out, monkeypatch):
    shown, closed = [], []
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(cv2, "namedWindow", lambda *_: None)
    monkeypatch.setattr(cv2, "imshow", lambda title, image: shown.append(image))
    monkeypatch.setattr(cv2, "waitKey", lambda _: ord("q") if len(shown) == 5 else -1)
    monkeypatch.setattr(cv2, "destroyWindow", closed.append)
    path = clips.write_video(tmp_path / "walk.mp4", [60] * 200)
    assert predict(path, "--show", "--no-draw") == 0
    assert len(shown) == 5 and len(closed) == 1
    assert 5 <= len(lines(out)) < 40
    assert not (out / "walk.mp4").exists()


def test_an_opencv_without_windows_says_what_to_install(
    predict, tmp_path, mistake, monkeypatch
):
    monkeypatch.setenv("DISPLAY", ":0")

    def refuses(*_):
        raise cv2.error("not implemented")

    monkeypatch.setattr(cv2, "namedWindow", refuses)
    path = clips.write_video(tmp_path / "walk.mp4", [60] * 2)
    assert predict(path, "--show") == 2
    assert "install opencv-contrib-python in place of" in mistake()


def test_people_of_a_video_are_numbered(predict, tmp_path, out):
    for name in ("a.mp4", "b.mp4"):
        clips.write_video(tmp_path / name, [60] * 7)
    inputs = [tmp_path / "a.mp4", tmp_path / "b.mp4"]
    assert predict(*inputs, "--track", "--table", "csv", "--save-crops") == 0
    numbers = [[p["track_id"] for p in record["people"]] for record in lines(out)]
    assert numbers == [[1]] * 14  # each video begins anew
    with open(out / "poses.csv", newline="") as file:
        assert {row["track_id"] for row in csv.DictReader(file)} == {"1"}


def test_people_are_looked_for_in_every_nth_frame(predict, tmp_path, out, monkeypatch):
    from distilpose_keras import detection

    whole, looks = detection.whole_image, []

    def look(image):
        looks.append(1)
        return whole(image)

    monkeypatch.setattr(detection, "whole_image", look)
    path = clips.write_video(tmp_path / "a.mp4", [60] * 11)
    assert predict(path, "--track", "--detect-every", 5, "--smooth") == 0
    assert len(looks) == 3 and len(lines(out)) == 11


def test_tracking_needs_a_video(predict, tmp_path, mistake):
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((40, 40, 3), np.uint8))
    assert predict(tmp_path / "a.png", "--track") == 2
    assert "--track needs a video" in mistake()
    assert predict(tmp_path / "a.png", "--smooth") == 2
    assert "need --track" in mistake()
