"""A real browser, and the page with small models in it.

Where Chromium, Playwright or the runtimes are missing, tests are skipped and say so;
with ``DISTILPOSE_BROWSER=required`` they fail.
"""

import json
import os
import shutil
import threading
import time

import numpy as np
import pytest

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox",  # containers have no user namespaces
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WAIT_SECONDS = 60


def missing(what):
    """Skip for want of a thing, or fail where it has to be there."""
    if os.environ.get("DISTILPOSE_BROWSER") == "required":
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="session")
def runtimes(tmp_path_factory):
    """The cache of a session, with the browser's runtimes in it."""
    from distilpose_keras.web.runtimes import runtime_files

    try:
        return runtime_files(say=lambda _: None)
    except OSError as error:
        missing(f"no runtimes of browsers: {error}")


@pytest.fixture(scope="module")
def launch(runtimes):
    """Function of more flags that starts the browser; all are closed at the end.

    Not longer: Playwright's event loop would run on under the tests of others.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        missing("Playwright is not installed")
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        missing(f"none of {', '.join(PROGRAMS)} is installed")
    with sync_playwright() as playwright:

        def start(*flags):
            return playwright.chromium.launch(
                executable_path=program, args=[*FLAGS, *flags]
            )

        yield start


@pytest.fixture(scope="module")
def browser(launch):
    return launch()


@pytest.fixture(scope="module")
def serve(runtimes):
    """Function that serves model files, by `SiteServer`; returns the page's address."""
    from distilpose_keras.web.server import SiteServer
    from distilpose_keras.web.site import page_site

    servers = []

    def start(*models, finder=None):
        server = SiteServer(page_site(models, finder=finder))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return server.address

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


class Page:
    """The page in a browser, as somebody uses it; notes what it asks for."""

    def __init__(self, browser, address, **context):
        self.address = address
        self.context = browser.new_context(accept_downloads=True, **context)
        self.page = self.context.new_page()
        self.requests, self.errors = [], []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(address)
        self.page.wait_for_selector("body[data-ready]", timeout=1000 * WAIT_SECONDS)

    def until(self, condition):
        """Wait until a JavaScript expression holds (the page forbids eval)."""
        end = time.monotonic() + WAIT_SECONDS
        while not self.page.evaluate(condition):
            if time.monotonic() > end:
                pytest.fail(f"not within {WAIT_SECONDS} s: {condition}; {self.message}")
            self.page.wait_for_timeout(30)

    @property
    def message(self):
        return self.page.inner_text("#message", timeout=1000)

    @property
    def frames(self):
        return self.page.evaluate(
            "+(document.getElementById('view').dataset.frames??0)"
        )

    def use(self, name):
        """Switch to a model file of the site."""
        self.page.select_option("#models", name)
        self.until("document.getElementById('about').textContent !== 'loading'")

    def show(self, picture):
        """Choose a picture; return the poses that the page saves."""
        before = self.frames
        self.page.set_input_files("#picture", picture)
        self.until(f"+document.getElementById('view').dataset.frames > {before}")
        return self.save()

    def save(self):
        with self.page.expect_download() as download:
            self.page.click("#save")
        return json.loads(download.value.path().read_text())


@pytest.fixture
def open_page(browser):
    """Function of an address that opens the page; closed after the test."""
    pages = []

    def start(address, *, where=browser, **context):
        pages.append(Page(where, address, **context))
        return pages[-1]

    yield start
    for page in pages:
        page.context.close()


@pytest.fixture(scope="session")
def picture(tmp_path_factory):
    """A picture of soft shapes, which decoders of JPEG cannot disagree about."""
    import cv2

    from distilpose_keras.export.reproduce import smooth_noise

    path = tmp_path_factory.mktemp("picture") / "soft.png"
    cv2.imwrite(str(path), smooth_noise(1, (240, 320), seed=3)[0])
    return path


def lively(name, **overrides):
    """A fresh model whose keypoints and scores depend on the picture."""
    import keras

    from distilpose_keras.models.model import build_model

    keras.utils.set_random_seed(0)
    model = build_model(name, **overrides)
    rng = np.random.default_rng(5)
    model.set_weights(
        [w + rng.normal(0, 0.1, w.shape).astype(w.dtype) for w in model.get_weights()]
    )
    return model


@pytest.fixture(scope="session")
def model():
    return lively("demo_student")


@pytest.fixture(scope="session")
def file(model, crops, tmp_path_factory):
    """Function that exports the lively model: ``file("int8.onnx")``."""
    from distilpose_keras.export.onnx.write import export_onnx
    from distilpose_keras.export.tflite.write import export_tflite

    folder = tmp_path_factory.mktemp("files")

    def make(name, model=model):
        path = folder / f"student_{name}"
        if not path.exists():
            export = export_onnx if path.suffix == ".onnx" else export_tflite
            precision = path.stem.split("_")[1]
            export(model, path, precision=precision, calibration=crops)
        return path

    return make
