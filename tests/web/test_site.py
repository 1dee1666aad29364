"""The files of the page's site, and the server that gives them to this machine."""

import base64
import hashlib
import json
import re
import threading
import urllib.error
import urllib.request

import pytest

from distilpose_keras.detection import PRESET
from distilpose_keras.web import runtimes, site
from distilpose_keras.web.server import SiteServer


@pytest.fixture
def no_runtimes(monkeypatch):
    monkeypatch.setattr(runtimes, "PACKAGES", ())


@pytest.fixture
def model(exported):
    return exported("float32.onnx")


def test_a_folder_holds_all_that_the_page_needs(no_runtimes, model, tmp_path):
    site.write_site(site.page_site([model]), tmp_path / "site")
    listed = json.loads((tmp_path / "site/files.json").read_text())
    assert listed == {"models": [f"models/{model.name}"]}
    copied = tmp_path / "site" / listed["models"][0]
    assert copied.read_bytes() == model.read_bytes()
    page = (tmp_path / "site/index.html").read_text()
    for name in re.findall(r'(?:src|href)="([a-z_]+\.[a-z]+)"', page):
        assert (tmp_path / "site" / name).is_file()
    for module in (tmp_path / "site").glob("*.js"):
        for name in re.findall(r'from "\./(.+?)"', module.read_text()):
            assert (tmp_path / "site" / name).is_file()


def test_the_finder_of_the_package_is_beside_the_models(no_runtimes, model, tmp_path):
    made = site.page_site([model], finder=PRESET)
    assert json.loads(made["files.json"])["finder"] == f"finder/{PRESET.name}"
    assert made[f"finder/{PRESET.name}"] == PRESET


def test_what_is_given_as_a_finder_or_as_a_model_must_be_one(no_runtimes, model):
    with pytest.raises(ValueError, match="must hold a model for finding people"):
        site.page_site([model], finder=model)
    with pytest.raises(ValueError, match="must hold a model for poses"):
        site.page_site([PRESET])


def test_the_policy_knows_the_import_map():
    """A browser refuses scripts inside the page but for the one with this digest."""
    page = (site.PAGE / "index.html").read_text()
    (script,) = re.findall(r'<script type="importmap">(.*?)</script>', page, re.S)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in page
    imported = json.loads(script)["imports"]["@litertjs/wasm-utils"]
    package = runtimes.PACKAGES[1]
    assert imported == f"./runtimes/{package.site}/{package.files[0]}"


def test_two_files_of_one_name(no_runtimes, model, tmp_path):
    twin = tmp_path / model.name
    twin.write_bytes(model.read_bytes())
    with pytest.raises(ValueError, match=f"two model files are called {model.name}"):
        site.page_site([model, twin])


def test_a_damaged_file(no_runtimes, model, tmp_path):
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(content)
    with pytest.raises(ValueError, match="checksum"):
        site.page_site([damaged])


@pytest.fixture
def server(tmp_path):
    path = tmp_path / "a.wasm"
    path.write_bytes(b"\0asm")
    (tmp_path / "secret.txt").write_text("secret")
    content = {"index.html": b"<p>", "a/b.mjs": b"1", "a.wasm": path}
    with SiteServer(content) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.mark.parametrize(
    ("address", "kind", "content"),
    [
        ("", "text/html; charset=utf-8", b"<p>"),
        ("a/b.mjs?again", "text/javascript; charset=utf-8", b"1"),
        ("a.wasm", "application/wasm", b"\0asm"),
    ],
)
def test_types_and_isolation(server, address, kind, content):
    with urllib.request.urlopen(server.address + address) as answer:
        assert answer.read() == content
        assert answer.headers["Content-Type"] == kind
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert answer.headers["Cross-Origin-Embedder-Policy"] == "require-corp"


@pytest.mark.parametrize(
    "address", ["other.html", "secret.txt", "a/", "../secret.txt", "%2e%2e/secret.txt"]
)
def test_nothing_else_is_served(server, address):
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(server.address + address)
    assert refused.value.code == 404


def test_this_machine_alone(server):
    assert server.address.startswith("http://127.0.0.1:")
    assert server.socket.getsockname()[0] == "127.0.0.1"


def test_a_port_that_is_taken(server):
    port = server.server_address[1]
    with pytest.raises(OSError, match=f"port {port} of 127.0.0.1 cannot be used"):
        SiteServer({}, port)
