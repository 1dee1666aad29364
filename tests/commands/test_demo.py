"""`distilpose demo`: a page that is served or written, and one line for a mistake."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request

import pytest

from distilpose_keras import preset_files
from distilpose_keras.web import exports, runtimes


@pytest.fixture
def demo(command, monkeypatch):
    monkeypatch.setattr(runtimes, "PACKAGES", ())
    return command("demo")


def test_a_folder_for_a_static_host(demo, exported, tmp_path, capsys):
    model, out = exported("float32.onnx"), tmp_path / "site"
    assert demo(model, "--out", out) == 0
    assert f"wrote {out}" in capsys.readouterr().out
    assert (out / "index.html").is_file()
    assert (out / "models" / model.name).read_bytes() == model.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "listed"),
    [((), "finder/person_finder.onnx"), (("--finder", "none"), None)],
)
def test_the_finder_comes_along(demo, exported, tmp_path, arguments, listed):
    assert demo(exported("float32.onnx"), "--out", tmp_path, *arguments) == 0
    files = json.loads((tmp_path / "files.json").read_text())
    assert files.get("finder") == listed
    assert (tmp_path / "finder").is_dir() == bool(listed)


def test_without_tensorflow_the_preset_is_its_onnx_file(
    demo, tmp_path, capsys, monkeypatch
):
    def lack(path, suffixes):
        raise ModuleNotFoundError("No module named 'tf2onnx'", name="tf2onnx")

    monkeypatch.setattr(exports, "browser_files", lack)
    assert demo("--out", tmp_path / "site") == 0
    (model,) = (tmp_path / "site" / "models").iterdir()
    assert model.read_bytes() == preset_files.runnable_file(model.stem).read_bytes()
    warning = capsys.readouterr().err
    assert warning.count("\n") == 1 and "distilpose-keras[export]" in warning


def test_a_folder_with_files_is_left_alone(demo, exported, tmp_path, mistake):
    (tmp_path / "mine.txt").write_text("mine")
    model = exported("float32.onnx")
    assert demo(model, "--out", tmp_path) == 2
    assert "--overwrite" in mistake()
    assert demo(model, "--out", tmp_path, "--overwrite") == 0
    assert (tmp_path / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["no.tflite"], "no such file: no.tflite"),
        (["unknown_model"], "no trained weights of 'unknown_model'"),
        (["--finder", "no.onnx"], "no such file: no.onnx"),
        (["--port", "0"], "must be from 1 to 65535. Received: 0"),
        (["--port", "x"], "invalid int value: 'x'"),
        (["--runtimes", "nowhere"], "no such folder: nowhere"),
    ],
)
def test_mistakes_are_one_line(demo, mistake, arguments, complaint):
    assert demo(*arguments) == 2
    assert complaint in mistake()


def test_a_file_of_something_else(demo, tmp_path, mistake):
    path = tmp_path / "words.onnx"
    path.write_text("these are words")
    assert demo(path) == 2
    assert str(path) in mistake()


def test_a_folder_without_the_runtimes(command, exported, tmp_path, mistake):
    model = exported("float32.onnx")
    assert command("demo")(model, "--runtimes", tmp_path) == 2
    assert "npm pack @litertjs/core@" in mistake()


def test_it_serves_until_it_is_interrupted(exported, tmp_path):
    folder = tmp_path / "runtimes"
    for package in runtimes.PACKAGES:
        for name in package.files:
            (folder / package.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / package.folder / name).write_text(name)
    command = [sys.executable, "-m", "distilpose_keras", "demo"]
    process = subprocess.Popen(
        [*command, exported("float32.onnx"), "--runtimes", folder],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ,
    )
    try:
        address = re.search(r"http://127\.0\.0\.1:\d+/", process.stdout.readline())[0]
        with urllib.request.urlopen(address) as answer:
            assert b"distilpose" in answer.read()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 130
    assert said.splitlines()[-1] == "interrupted"
