"""The browser's runtimes: what is fetched is what was released."""

import base64
import hashlib
import io
import tarfile
from dataclasses import replace

import pytest

from distilpose_keras.web import runtimes
from distilpose_keras.web.runtimes import runtime_files


def archive(files):
    """The bytes of an npm archive."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as packed:
        for name, text in files.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(text)
            packed.addfile(member, io.BytesIO(text.encode()))
    return stream.getvalue()


@pytest.fixture
def released(monkeypatch, tmp_path):
    """A release of one small package, and an empty cache; returns its archive."""
    content = archive({"dist/index.js": "export {};", "README.md": "words"})
    package = replace(
        runtimes.PACKAGES[0],
        integrity=base64.b64encode(hashlib.sha512(content).digest()).decode(),
        files=("dist/index.js",),
    )
    monkeypatch.setattr(runtimes, "PACKAGES", (package,))
    monkeypatch.setenv("DISTILPOSE_CACHE", str(tmp_path / "cache"))
    return content


@pytest.fixture
def registry(monkeypatch, tmp_path):
    """A registry in a folder: file:// addresses; returns where the archive goes."""
    monkeypatch.setenv("npm_config_registry", (tmp_path / "registry").as_uri())
    package = runtimes.PACKAGES[0]
    path = tmp_path / "registry" / package.name / "-" / package.archive
    path.parent.mkdir(parents=True)
    return path


def test_a_package_is_fetched_once(released, registry, tmp_path):
    registry.write_bytes(released)
    said = []
    files = runtime_files(say=said.append)
    (address,) = files
    assert address == "runtimes/litertjs-core/dist/index.js"
    assert files[address].read_text() == "export {};"
    assert files[address].is_relative_to(tmp_path / "cache")
    assert len(said) == 1 and "once" in said[0]
    registry.unlink()
    assert runtime_files(say=said.append) == files
    assert len(said) == 1


def test_another_archive_is_refused(released, registry, tmp_path):
    registry.write_bytes(archive({"dist/index.js": "steal();"}))
    with pytest.raises(ValueError, match="is not what was released"):
        runtime_files(say=print)
    assert not (tmp_path / "cache").exists()


def test_offline_is_one_line(released, registry):
    with pytest.raises(OSError, match="cannot fetch .*: connect once, or"):
        runtime_files(say=print)


def test_archives_of_npm_pack(released, tmp_path):
    with pytest.raises(ValueError, match="has neither litertjs-core-.*npm pack"):
        runtime_files(tmp_path)
    name = f"{runtimes.PACKAGES[0].folder}.tgz"
    (tmp_path / name).write_bytes(released)
    (path,) = runtime_files(tmp_path).values()
    assert path.read_text() == "export {};"


def test_an_unpacked_folder(released, tmp_path):
    folder = tmp_path / "given" / runtimes.PACKAGES[0].folder / "dist"
    folder.mkdir(parents=True)
    (folder / "index.js").write_text("export {};")
    (path,) = runtime_files(tmp_path / "given").values()
    assert path == folder / "index.js"
    assert not (tmp_path / "cache").exists()


def test_licenses_name_every_package():
    lines = runtimes.licenses().splitlines()
    assert [line.split(" ")[0] for line in lines] == [
        *("@litertjs/core", "@litertjs/wasm-utils", "onnxruntime-web")
    ]
    assert "MIT" in lines[2] and "Apache-2.0" in lines[0]
