"""The scripts of the checkout: each calls a command of the library, with its arguments.

`export/phone.py` is not among them: it shows the way without the library.
"""

import runpy
import sys
from importlib import import_module

import pytest

SCRIPTS = {  # script: command, what the script itself says
    "recipes/train_distilpose_s.py": ("train", {"model": "distilpose_s"}),
    "recipes/train_distilpose_l.py": ("train", {"model": "distilpose_l"}),
    "recipes/train_tokenpose_hrnet_w48.py": (
        "train",
        {"model": "tokenpose_hrnet_w48"},
    ),
    "recipes/train_tokenpose_stemnet.py": ("train", {"model": "tokenpose_stemnet"}),
    "recipes/train_nano.py": ("train_nano", {}),
    "recipes/train_finder.py": ("train_finder", {}),
    "recipes/finetune_int8.py": ("finetune_int8", {}),
    "recipes/fit_few_people.py": ("fit_few", {}),
    "recipes/run_ablation.py": ("ablation", {}),
    "tools/predict.py": ("predict", {}),
    "tools/evaluate_coco.py": ("evaluate", {}),
    "tools/convert_checkpoint.py": ("convert", {}),
    "tools/profile_model.py": ("profile", {}),
    "tools/benchmark.py": ("benchmark", {"kind": "evaluation"}),
    "tools/figures.py": ("figures", {"check": False}),
    "export/to_tflite.py": ("export", {"format": "tflite"}),
    "export/to_onnx.py": ("export", {"format": "onnx"}),
    "export/verify.py": ("verify", {}),
}
# The least that each command asks for; FILE and FOLDER are there.
LEAST = {
    "train": ["--seed", "7"],
    "train_nano": [
        *("--data", "FOLDER", "--movenet", "FILE", "--out", "FOLDER", "--seed", "7"),
    ],
    "train_finder": [
        *("--data", "FOLDER", "--movenet", "FILE", "--out", "FOLDER", "--seed", "7"),
    ],
    "finetune_int8": [
        *("FILE", "--teacher", "FILE", "--data", "FOLDER", "--out", "FOLDER"),
        *("--seed", "7"),
    ],
    "fit_few": ["--data", "FOLDER", "--out", "FOLDER", "--seed", "7"],
    "ablation": ["--table", "4", "--seeds", "7"],
    "predict": ["FILE", "photo.jpg", "--frames", "7"],
    "evaluate": ["FILE", "--data", "FOLDER", "--limit", "7"],
    "convert": ["FILE", "--model", "7", "--out", "x.keras"],
    "profile": ["7"],
    "benchmark": ["evaluation", "--rounds", "7"],
    "figures": ["7"],
    "export": ["FILE", "--out", "x.tflite", "--seed", "7"],
    "verify": ["FILE", "FILE", "--data", "FOLDER", "--limit", "7"],
}


@pytest.fixture
def run(root, monkeypatch, tmp_path):
    """Run a script from the checkout, in this process; return its exit code."""
    monkeypatch.chdir(root)
    (tmp_path / "model.keras").write_bytes(b"")

    def run(script, arguments):
        names = {"FILE": str(tmp_path / "model.keras"), "FOLDER": str(tmp_path)}
        given = [names.get(argument, argument) for argument in arguments]
        monkeypatch.setattr(sys, "argv", [script, *given])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(script, run_name="__main__")
        return ended.value.code

    return run


def test_every_script_is_tried(root):
    folders = ("recipes", "tools", "export")
    found = {str(p.relative_to(root)) for f in folders for p in (root / f).glob("*.py")}
    assert found == {*SCRIPTS, "export/phone.py"}


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_shows_the_script_itself(run, capsys, script):
    assert run(script, ["--help"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"usage: python {script} ")
    assert f"\nexamples:\n  python {script}" in printed


@pytest.mark.parametrize("script", SCRIPTS)
def test_arguments_are_passed_on(run, monkeypatch, script):
    command, said = SCRIPTS[script]
    got = []
    module = import_module(f"distilpose_keras.commands.{command}")
    monkeypatch.setattr(module, "run", lambda arguments: got.append(vars(arguments)))
    assert run(script, LEAST[command]) == 0
    (arguments,) = got
    assert arguments.items() >= said.items()
    assert any(value in (7, "7", ["7"]) for value in arguments.values())


def test_a_mistake_is_one_line(run, capsys):
    assert run("tools/evaluate_coco.py", ["FILE"]) == 2
    assert capsys.readouterr().err == (
        "error: the following arguments are required: --data "
        "(see python tools/evaluate_coco.py --help)\n"
    )
