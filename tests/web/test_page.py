"""The page in a real browser: what it finds is what the library finds."""

import json

import cv2
import numpy as np
import pytest

from distilpose_keras.data.images import read_image
from distilpose_keras.detection import PRESET
from distilpose_keras.formats.names import ENTRY
from distilpose_keras.keypoints import KeypointSchema
from distilpose_keras.predictor import PosePredictor
from distilpose_keras.synthetic.dataset import render_image

pytestmark = pytest.mark.slow

SIZE = (240, 320)
TOLERANCE_PX = 0.5
# What integers of browsers round elsewhere than those of this machine may cost.
FILES = {
    "float32.tflite": TOLERANCE_PX,
    "float16.tflite": TOLERANCE_PX,
    "int8.tflite": 4.0,
    "float32.onnx": TOLERANCE_PX,
    "float16.onnx": TOLERANCE_PX,
    "int8.onnx": 4.0,
}
CORNER = KeypointSchema(
    names=("top_left", "top", "bottom", "tail <b>"),
    flip_pairs=(),
    skeleton=((0, 1), (2, 3)),
    sigmas=(0.05,) * 4,
    upper_body=(0, 1),
)


def by_library(path, image, pose):
    """Keypoints and scores (K, 3) of the library in the box that the page used."""
    found = PosePredictor(path).predict(image, [pose["bbox"]])
    return np.concatenate([found.keypoints[0], found.scores[0, :, None]], axis=1)


def by_page(pose):
    return np.reshape(pose["keypoints"], (-1, 3))


@pytest.mark.parametrize("name", FILES)
def test_keypoints_are_those_of_the_library(name, file, serve, open_page, picture):
    path, image = file(name), read_image(picture)
    page = open_page(serve(path))
    (pose,) = page.show(picture)
    expected = by_library(path, image, pose)
    # Where the model says the same whatever it sees, nothing would be compared.
    elsewhere = by_library(path, image, {"bbox": [0, 0, 60, 90]})
    assert np.ptp(expected[:, :2], axis=0).min() > 10
    assert np.abs(elsewhere - expected)[:, 2].max() > 0.01
    assert np.abs(by_page(pose) - expected)[:, :2].max() < FILES[name]
    assert page.message == "" and page.errors == []


@pytest.mark.parametrize("geometry", ["aligned", "udp"])
def test_other_geometries_of_crops(geometry, file, serve, open_page, picture, crops):
    """The same graph in a file that says that it is shown other crops."""
    import onnx

    proto = onnx.load(file("float32.onnx"))
    (entry,) = [prop for prop in proto.metadata_props if prop.key == ENTRY]
    entry.value = json.dumps({**json.loads(entry.value), "geometry": geometry})
    del proto.metadata_props[1:]  # the checksum of what it was
    path = file("float32.onnx").with_name(f"{geometry}.onnx")
    onnx.save(proto, path)
    (pose,) = open_page(serve(path)).show(picture)
    expected = by_library(path, read_image(picture), pose)
    assert np.abs(by_page(pose) - expected)[:, :2].max() < TOLERANCE_PX
    plain = by_library(file("float32.onnx"), read_image(picture), pose)
    assert np.abs(plain - expected)[:, :2].max() > TOLERANCE_PX


def test_a_drawn_box_is_looked_at(file, serve, open_page, picture):
    path = file("float32.tflite")
    page = open_page(serve(path))
    page.show(picture)
    shown = page.page.locator("#view").bounding_box()
    zoom = shown["width"] / SIZE[1]
    before = page.frames
    mouse = page.page.mouse
    mouse.move(shown["x"] + 40 * zoom, shown["y"] + 30 * zoom)
    mouse.down()
    mouse.move(shown["x"] + 200 * zoom, shown["y"] + 180 * zoom)
    mouse.up()
    page.until(f"+document.getElementById('view').dataset.frames > {before}")
    (pose,) = page.save()
    assert pose["bbox"] == pytest.approx([40, 30, 160, 150], abs=1.5)
    expected = by_library(path, read_image(picture), pose)
    assert np.abs(by_page(pose) - expected)[:, :2].max() < TOLERANCE_PX


def test_a_switch_between_files(file, serve, open_page, picture):
    paths = [file("float32.tflite"), file("int8.onnx")]
    page = open_page(serve(*paths))
    page.show(picture)
    assert page.page.inner_text("#about").startswith("float32")
    before = page.frames
    page.use(paths[1].name)
    page.until(f"+document.getElementById('view').dataset.frames > {before}")
    assert page.page.inner_text("#about").startswith("int8")
    assert len(page.save()) == 1


def test_keypoints_of_a_users_own(serve, open_page, picture, file):
    from tests.web.conftest import lively

    path = file("float32_own.tflite", lively("demo_student", schema=CORNER))
    page = open_page(serve(path))
    (pose,) = page.show(picture)
    assert page.page.locator("#keypoints .name").all_inner_texts() == [
        *("top left", "top", "bottom", "tail <b>")
    ]
    assert "4 keypoints" in page.page.inner_text("#about")
    expected = by_library(path, read_image(picture), pose)
    assert np.abs(by_page(pose) - expected)[:, :2].max() < TOLERANCE_PX


def write_y4m(path, images):
    """Write RGB pictures as the raw video that Chromium's camera plays."""
    height, width = images[0].shape[:2]
    with open(path, "wb") as video:
        video.write(f"YUV4MPEG2 W{width} H{height} F5:1 Ip A1:1 C420\n".encode())
        for image in images:
            video.write(b"FRAME\n")
            video.write(cv2.cvtColor(image, cv2.COLOR_RGB2YUV_I420).tobytes())


def test_the_camera_shows_a_rendered_clip(file, serve, launch, open_page, tmp_path):
    path, clip = file("float32.tflite"), tmp_path / "clip.y4m"
    images = [render_image(0, "val", index, (480, 640))[0] for index in range(2)]
    write_y4m(clip, [image for image in images for _ in range(5)])
    browser = launch(
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={clip}",
    )
    page = open_page(serve(path), where=browser)
    page.page.click("#camera")
    page.until("+document.getElementById('view').dataset.frames > 8")
    assert page.message == ""
    assert float(page.page.inner_text("#fps")) > 1
    page.page.click("#pause")
    (pose,) = page.save()
    # Colours of video are rounded: the nearest picture of the clip is meant.
    errors = [
        np.abs(by_page(pose) - by_library(path, image, pose))[:, :2].max()
        for image in images
    ]
    assert min(errors) < TOLERANCE_PX < max(errors)
    browser.close()


def test_no_camera_is_said(file, serve, open_page):
    page = open_page(serve(file("float32.tflite")))
    page.page.click("#camera")
    page.until("!document.getElementById('message').hidden")
    assert "camera" in page.message


def test_a_video_is_followed(file, serve, open_page, tmp_path):
    clip = tmp_path / "clip.webm"
    writer = cv2.VideoWriter(str(clip), cv2.VideoWriter_fourcc(*"VP80"), 10, SIZE[::-1])
    for index in range(8):
        writer.write(render_image(0, "val", index, SIZE)[0][..., ::-1])
    writer.release()
    page = open_page(serve(file("float32.tflite")))
    page.page.set_input_files("#video", clip)
    page.until("+document.getElementById('view').dataset.frames > 5")
    assert page.message == ""
    (pose,) = page.save()
    assert pose["file_name"] == clip.name


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("notes.onnx", b"these are words", "no ONNX file"),
        ("notes.tflite", b"these are words", "not a TFLite file"),
        ("cut.tflite", 0.5, "cut.tflite: "),
        ("cut.onnx", 0.5, "truncated"),
        ("photo.pdf", b"%PDF", "expected a .tflite or .onnx file"),
    ],
)
def test_a_wrong_file_gets_a_message(
    name, content, message, file, serve, open_page, picture, tmp_path
):
    path, wrong = file("float32.tflite"), tmp_path / name
    if isinstance(content, float):
        whole = file(f"float32{wrong.suffix}").read_bytes()
        content = whole[: int(content * len(whole))]
    wrong.write_bytes(content)
    page = open_page(serve(path))
    page.page.set_input_files("#model", wrong)
    page.until("!document.getElementById('message').hidden")
    assert message in page.message and name in page.message
    # What was open before is still there.
    assert page.page.input_value("#models") == path.name
    assert len(page.show(picture)) == 1


def test_integers_alone_are_for_other_places(file, serve, open_page, tmp_path):
    wrong = file("int8-full.tflite")
    page = open_page(serve(file("float32.tflite")))
    page.page.set_input_files("#model", wrong)
    page.until("!document.getElementById('message').hidden")
    assert page.message.startswith(f"{wrong.name}: an int8-full file is for NPUs")


def test_a_person_finder_is_no_model_of_poses(file, serve, open_page):
    page = open_page(serve(file("float32.tflite")))
    page.page.set_input_files("#model", PRESET)
    page.until("!document.getElementById('message').hidden")
    assert "it must hold a model for poses, and is for finding people" in page.message


def test_a_wrong_picture_gets_a_message(file, serve, open_page, tmp_path):
    text = tmp_path / "words.png"
    text.write_text("these are words")
    page = open_page(serve(file("float32.tflite")))
    page.page.set_input_files("#picture", text)
    page.until("!document.getElementById('message').hidden")
    assert page.message == ("words.png: not a picture that this browser can read")


def test_no_request_leaves_the_machine(file, serve, open_page, picture):
    page = open_page(serve(file("float32.tflite"), file("float32.onnx")))
    page.show(picture)
    page.use(file("float32.onnx").name)
    page.show(picture)
    assert len(page.requests) > 10
    local = (page.address, f"blob:{page.address}", "data:")
    assert [url for url in page.requests if not url.startswith(local)] == []
    # The page itself forbids others, wherever it is hosted.
    assert page.page.evaluate(
        "fetch('http://127.0.0.2/').then(() => 'sent', (error) => error.name)"
    ) == ("TypeError")


def test_one_thread_without_the_headers(file, runtimes, launch, tmp_path, picture):
    """A folder on a plain static host: no isolation, one thread, same keypoints."""
    import functools
    import http.server
    import threading

    from distilpose_keras.web.site import page_site, write_site
    from tests.web.conftest import Page

    path = file("float32.onnx")
    write_site(page_site([path]), tmp_path / "under" / "site")
    handler = functools.partial(
        http.server.SimpleHTTPRequestHandler, directory=tmp_path
    )
    handler.log_message = lambda *_: None
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    browser = launch()
    page = Page(browser, f"http://127.0.0.1:{server.server_port}/under/site/")
    assert "one thread" in page.page.inner_text("#about")
    (pose,) = page.show(picture)
    expected = by_library(path, read_image(picture), pose)
    assert np.abs(by_page(pose) - expected)[:, :2].max() < TOLERANCE_PX
    browser.close()
    server.shutdown()
    assert json.loads((tmp_path / "under/site/files.json").read_text()) == {
        "models": [f"models/{path.name}"]
    }
