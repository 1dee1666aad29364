"""`distilpose`: its commands, what they import, and what they answer at once."""

import os
import subprocess
import sys
import tomllib
from importlib import import_module
from importlib.metadata import version

import pytest

from distilpose_keras.commands.main import COMMANDS, _typed, main

BACKENDS = ("keras", "tensorflow", "jax", "torch")
HEAVY = (*BACKENDS, "numpy", "cv2", "rich")
# Runs commands in turn, then prints which heavy packages they have imported.
SCRIPT = f"""
import sys
from distilpose_keras.commands.main import main

for line in sys.argv[1:]:
    try:
        main(line.split())
    except SystemExit:
        pass
print("imported", [name for name in {HEAVY} if name in sys.modules])
"""


def run(*arguments):
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return ended.value.code


def imported_by(lines, folder):
    """Which heavy packages a process has imported after some command lines."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *lines],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "DISTILPOSE_DEBUG": ""},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1], done.stderr


def test_help_lists_every_command(capsys):
    assert run("--help") == 0
    printed = capsys.readouterr().out
    for name in COMMANDS:
        summary = import_module(f"distilpose_keras.commands.{name}").SUMMARY
        assert f"  {_typed(name):15}{summary}\n" in printed
        assert len(summary) <= 62, "the list is for 80 columns"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_shows_examples_of_itself(name, capsys):
    assert run(_typed(name), "--help") == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"usage: distilpose {_typed(name)}")
    assert f"\nexamples:\n  distilpose {_typed(name)}" in printed
    assert max(map(len, printed.splitlines())) <= 88


def test_help_imports_nothing_heavy(tmp_path):
    lines = ["--help", *(f"{_typed(name)} --help" for name in COMMANDS)]
    assert imported_by(lines, tmp_path)[0] == "imported []"


def test_mistakes_import_no_backend(tmp_path):
    lines = [
        "predict gone.keras photo.jpg",
        "evaluate gone.onnx --data .",
        "evaluate . --data gone",
        "export gone.keras --out x.onnx",
        "verify gone.keras gone.onnx --data .",
        "convert gone.pth --model distilpose_s --out x.keras",
        "profile gone.tflite",
        "train --teacher gone.keras",
        "benchmark latency gone.onnx",
        "finetune-int8 gone.keras --teacher gone.keras --data . --out x",
        "fit-few --data gone --out x",
        "train-nano --data gone --movenet x.json",
        "pack --data gone --out x",
        "ablation --table 7",
        "models --json .",
        "demo gone.tflite",
        "nothing",
        "",
    ]
    imported, errors = imported_by(lines, tmp_path)
    assert not [name for name in BACKENDS if f"'{name}'" in imported]
    errors = errors.splitlines()
    assert len(errors) == len(lines), errors
    assert all(line.startswith("error: ") for line in errors), errors
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["trian"], "invalid choice: 'trian'"),
        ([], "required: COMMAND"),
        (["--"], "required: COMMAND"),
        (["--data", "models"], "required: COMMAND"),
        (["finetune_int8"], "invalid choice"),  # one spelling
        (["models", "--jsn", "x"], "unrecognized arguments: --jsn"),
    ],
)
def test_a_wrong_command_line_is_one_line(capsys, arguments, complaint):
    assert run(*arguments) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("error: ") and complaint in error
    assert "--help" in error


def test_the_version_is_the_packages(capsys):
    assert run("--version") == 0
    printed = capsys.readouterr().out
    assert printed == f"distilpose-keras {version('distilpose-keras')}\n"


def test_an_installation_has_the_command(root):
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    module, function = project["scripts"]["distilpose"].split(":")
    assert getattr(import_module(module), function) is main
