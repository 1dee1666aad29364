"""The person finder in the page: it finds whom `PersonFinder` finds."""

import base64

import cv2
import numpy as np
import pytest

from distilpose_keras.data.images import read_image
from distilpose_keras.detection import PRESET, PersonFinder, letterbox
from distilpose_keras.export.reproduce import smooth_noise
from distilpose_keras.person_scores import sureness
from distilpose_keras.predictor import PosePredictor
from distilpose_keras.synthetic.clips import PLOTS, render_clip
from distilpose_keras.video.annotate import DRAWN_SURENESS
from tests.web.test_page import TOLERANCE_PX, by_library, by_page, write_y4m

pytestmark = pytest.mark.slow

LETTERBOX = """async ([rgba, width, height, size]) => {
  const { letterbox } = await import("/letterbox.js");
  const bytes = Uint8ClampedArray.from(atob(rgba), (letter) => letter.charCodeAt(0));
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.putImageData(new ImageData(bytes, width, height), 0, 0);
  const { shown, extent } = letterbox(context, size);
  const letters = Array.from(shown, (value) => String.fromCharCode(value));
  return [btoa(letters.join("")), extent];
}"""
IS_PERSON = """async (people) => {
  const { isPerson } = await import("/drawing.js");
  return people.map(isPerson);
}"""
FRAMES = "+document.getElementById('view').dataset.frames"


@pytest.fixture(scope="module")
def crowd():
    """Four people who walk, of whom the finder sees several: frames of a clip."""
    frames = list(render_clip(PLOTS["cross"], frames=6, fps=2))
    return [frames[n].image for n in (2, 5)]


@pytest.fixture
def photo(crowd, tmp_path):
    path = tmp_path / "crowd.png"
    cv2.imwrite(str(path), crowd[0][..., ::-1])
    return path


def everybody(path, image):
    """Boxes (N, 4) and keypoints with scores (N, K, 3) of the library."""
    boxes, _ = PersonFinder().find(image)
    found = PosePredictor(path).predict(image, boxes)
    return boxes, np.concatenate([found.keypoints, found.scores[..., None]], axis=2)


@pytest.mark.parametrize(
    ("size", "share"),  # of values that may be off by one
    [
        ((480, 640), 0),  # shrunk by a broken number
        ((768, 1056), 0),  # by a whole one
        ((900, 31), 0),
        ((256, 352), 0),  # as it is
        ((512, 704), 0.15),  # halved: cv2 rounds halves up
        ((100, 130), 0.15),  # enlarged: cv2 has whole weights
        ((30, 40), 0.15),  # enlarged as much as is allowed
    ],
)
def test_the_picture_it_is_shown_is_the_librarys(size, share, file, serve, open_page):
    image = smooth_noise(1, size, seed=7)[0]
    image[::3, ::2] = 255 - image[::3, ::2]  # where resizes differ most
    page = open_page(serve(file("float32.onnx")))
    rgba = np.dstack([image, np.full(size, 255, np.uint8)])
    text = base64.b64encode(rgba.tobytes()).decode()
    height, width = size
    shown, extent = page.page.evaluate(LETTERBOX, [text, width, height, [256, 352]])
    expected, whole = letterbox(image, (256, 352))
    assert extent == whole.tolist()
    shown = np.frombuffer(base64.b64decode(shown), np.uint8).reshape(256, 352, 3)
    difference = np.abs(shown.astype(int) - expected)
    assert difference.max() <= 1 and difference.mean() <= share


@pytest.mark.parametrize("name", ["float32.tflite", "float32.onnx"])
def test_all_people_are_those_of_the_library(
    name, file, serve, open_page, photo, crowd
):
    path = file(name)
    page = open_page(serve(path, finder=PRESET))
    poses = page.show(photo)
    boxes, expected = everybody(path, crowd[0])
    assert len(poses) == len(boxes) > 1
    assert page.page.inner_text("#found").startswith(f"{len(boxes)} people;")
    assert np.abs([pose["bbox"] for pose in poses] - boxes).max() < TOLERANCE_PX
    errors = np.abs([by_page(pose) for pose in poses] - expected)
    assert errors[..., :2].max() < TOLERANCE_PX
    assert page.message == "" and page.errors == []


def test_people_are_drawn_whom_predict_draws(file, serve, open_page):
    rng = np.random.default_rng(0)
    scores, boxes = rng.uniform(-0.1, 0.5, (200, 17)), rng.uniform(0.2, 0.9, 200)
    page = open_page(serve(file("float32.onnx")))
    people = [
        {"boxScore": box, "scores": list(values)}
        for box, values in zip(boxes.tolist(), scores.tolist(), strict=True)
    ]
    found = page.page.evaluate(IS_PERSON, people)
    expected = sureness(scores, boxes) >= DRAWN_SURENESS
    assert found == expected.tolist() and 20 < sum(found) < 180
    # Nobody doubts a box that somebody drew.
    alone = [{"boxScore": 1, "scores": [0.0] * 17}]
    assert page.page.evaluate(IS_PERSON, alone) == [True]


def test_a_switch_between_everybody_and_the_whole_picture(
    file, serve, open_page, photo, crowd
):
    path = file("float32.onnx")
    page = open_page(serve(path, finder=PRESET))
    found = page.show(photo)
    for button, count in (("#whole", 1), ("#everybody", len(found))):
        before = page.frames
        page.page.click(button)
        page.until(f"{FRAMES} > {before}")
        assert len(page.save()) == count
        assert page.page.get_attribute(button, "aria-pressed") == "true"
    # A site without a finder has no switch.
    other = open_page(serve(path))
    assert not other.page.is_visible("#everybody")


def test_nobody_is_said(file, serve, open_page, picture):
    page = open_page(serve(file("float32.onnx"), finder=PRESET))
    assert len(PersonFinder().find(read_image(picture))[0]) == 0
    page.page.set_input_files("#picture", picture)
    page.until(f"{FRAMES} > 0")
    assert page.page.inner_text("#found") == "The person finder sees nobody here."
    assert page.page.is_disabled("#save")


def test_the_camera_follows_several_people(
    file, serve, launch, open_page, crowd, tmp_path
):
    path, clip = file("float32.tflite"), tmp_path / "clip.y4m"
    # Grey, for video keeps colours at half the size.
    image = np.repeat(crowd[0].mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8)
    write_y4m(clip, [image] * 10)
    browser = launch(
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={clip}",
    )
    page = open_page(serve(path, finder=PRESET), where=browser)
    page.page.click("#camera")
    page.until(f"{FRAMES} > 12")  # the finder looked at two of them, at least
    assert page.message == ""
    page.page.click("#pause")
    poses = page.save()
    boxes, _ = everybody(path, image)
    assert 1 < len(poses) <= len(boxes) + 1  # brightness is rounded, too
    for pose in poses:
        error = np.abs(by_page(pose) - by_library(path, image, pose))
        assert error[:, :2].max() < TOLERANCE_PX
    browser.close()


def test_a_site_that_lost_its_finder_says_so(file, serve, open_page, photo):
    page = open_page(serve(file("float32.onnx"), finder=PRESET))
    page.page.route("**/finder/*", lambda route: route.fulfill(status=404))
    page.page.set_input_files("#picture", photo)
    page.until("!document.getElementById('message').hidden")
    assert page.message == f"{PRESET.name}: the site does not have it (404)"
    page.page.click("#whole")  # goes on without
    page.until(f"{FRAMES} > 0")
    assert page.message == "" and len(page.save()) == 1
