"""A missing package is answered with what brings it."""

import importlib.util
import sys
import tomllib
import types

import pytest

from distilpose_keras.commands import cli, extras


@pytest.fixture
def installed(monkeypatch):
    """Say which backends there are, and whether Keras has one."""

    def only(*names, keras=None):
        monkeypatch.setattr(
            importlib.util, "find_spec", lambda name: True if name in names else None
        )
        monkeypatch.setitem(sys.modules, "keras", keras or types.ModuleType("keras"))

    return only


def test_without_any_backend_all_are_offered(installed):
    installed()
    line = extras.how_to_install("tensorflow")
    assert 'pip install "distilpose-keras[tensorflow]", or [jax], or [torch]' in line


def test_another_backend_that_is_there_is_named(installed):
    installed("torch")
    assert "KERAS_BACKEND=torch" in extras.how_to_install("tensorflow.python")


def test_under_another_backend_tensorflow_is_for_exports(installed):
    keras = types.ModuleType("keras")
    keras.Model = object
    installed("jax", keras=keras)
    for package in ("tensorflow", "tf2onnx", "onnx.helper"):
        assert "distilpose-keras[export]" in extras.how_to_install(package)


def test_what_is_not_ours_is_left_as_it_is():
    assert extras.how_to_install("pandas") is None
    assert extras.how_to_install(None) is None


def test_the_extras_bring_what_is_said(root):
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    known = project["optional-dependencies"]
    assert set(extras.BACKENDS) <= known.keys()
    brought = {line.split(">")[0].replace("-", "_") for line in known["export"]}
    assert set(extras.EXPORT) <= brought


def test_the_line_takes_the_place_of_pythons(installed, capsys, monkeypatch):
    monkeypatch.delenv("DISTILPOSE_DEBUG", raising=False)
    installed()

    def main(argv):
        raise ModuleNotFoundError("No module named 'jax'", name="jax")

    with pytest.raises(SystemExit) as stop:
        cli.run(main, [])
    assert stop.value.code == 2
    assert capsys.readouterr().err.startswith("error: this needs a backend of Keras")
