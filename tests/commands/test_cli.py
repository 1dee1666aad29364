"""What every command shares: arguments that are checked, mistakes in one line."""

import argparse
import os
import signal
import subprocess
import sys
import time

import pytest

from distilpose_keras import preset_files
from distilpose_keras.commands import cli


def exit_code(main):
    with pytest.raises(SystemExit) as stop:
        cli.run(main, [])
    return stop.value.code


def raises(error):
    def main(argv):
        raise error

    return main


@pytest.mark.parametrize(
    "error", [ValueError("bad\nbox"), FileNotFoundError("bad\nbox")]
)
def test_a_users_mistake_is_one_line_and_exit_2(error, capsys, monkeypatch):
    monkeypatch.delenv("DISTILPOSE_DEBUG", raising=False)
    assert exit_code(raises(error)) == 2
    assert capsys.readouterr().err == "error: bad box\n"


def test_a_bug_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        cli.run(raises(ZeroDivisionError()), [])


@pytest.mark.parametrize(("result", "code"), [(None, 0), (1, 1)])
def test_the_commands_own_code_is_the_exit_code(result, code):
    assert exit_code(lambda argv: result) == code


def test_a_wrong_flag_is_one_line(capsys):
    def main(argv):
        parser = cli.ArgumentParser(prog="train.py")
        parser.add_argument("--epochs", type=int)
        parser.parse_args(["--epochs", "many"])

    assert exit_code(main) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("error: argument --epochs: invalid int value: 'many'")


def test_pairs_of_keypoints_are_names_or_numbers():
    assert cli.keypoint_pairs("fin_a:fin_b,3:4") == (("fin_a", "fin_b"), (3, 4))
    for wrong in ("fin_a", "a:b:c", "a:,b:c", ""):
        with pytest.raises(argparse.ArgumentTypeError, match="must be pairs such as"):
            cli.keypoint_pairs(wrong)


def test_sigterm_ends_a_command_as_an_interrupt_does(capsys):
    kept = []

    def main(argv):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)
        finally:
            kept.append("what was computed")

    assert exit_code(main) == 143
    assert kept and capsys.readouterr().err == "terminated\n"


@pytest.mark.parametrize(
    ("number", "code", "said"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
)
def test_an_error_that_a_signal_caused_is_not_a_bug(capsys, number, code, said):
    def main(argv):
        try:
            os.kill(os.getpid(), number)
            time.sleep(5)
        except BaseException:  # as pybind's modules do while they load
            raise ImportError("initialization failed") from None

    before = signal.getsignal(number)
    assert exit_code(main) == code
    assert signal.getsignal(number) == before
    assert capsys.readouterr().err == f"{said}\n"


SCRIPT = """
from distilpose_keras import preset_files
from distilpose_keras.commands import cli

def main(argv):
    import tensorflow
    raise ValueError(f"bad {tensorflow.__name__}")

cli.run(main)
"""


def test_help_keeps_the_lines_of_its_examples(capsys):
    parser = cli.ArgumentParser(epilog="examples:\n  one\n  two\n")
    with pytest.raises(SystemExit):
        parser.parse_args(["--help"])
    assert "examples:\n  one\n  two\n" in capsys.readouterr().out


@pytest.mark.slow
def test_tensorflow_says_nothing_before_the_error(root):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, cwd=root
    )
    assert (done.returncode, done.stderr) == (2, "error: bad tensorflow\n")


@pytest.mark.parametrize(
    ("kind", "text", "complaint"),
    [
        (cli.positive_int, "0", "must be at least 1. Received: 0"),
        (cli.positive_int, "many", "invalid int value: 'many'"),
        (cli.positive_float, "-0.5", "must be above 0. Received: -0.5"),
        (cli.positive_float, "nan", "must be above 0. Received: nan"),
        (cli.input_file, "FOLDER", "no such file: FOLDER"),
        (cli.input_file, "FOLDER/gone", "no such file: FOLDER/gone"),
        (cli.input_folder, "FILE", "no such folder: FILE"),
        (cli.model_file, "gone.onnx", "no such file: gone.onnx"),
        (cli.output_file, "FOLDER", "is a folder, not a file: FOLDER"),
        (cli.output_file, "FILE/a/b.json", "is a file, not a folder: FILE"),
        (cli.output_folder, "FILE", "is a file, not a folder: FILE"),
    ],
)
def test_a_wrong_argument_is_told_at_once(kind, text, complaint, tmp_path):
    (tmp_path / "file").write_text("kept")

    def filled(words):
        words = words.replace("FILE", str(tmp_path / "file"))
        return words.replace("FOLDER", str(tmp_path))

    parser = cli.ArgumentParser()
    parser.add_argument("--x", type=kind)
    with pytest.raises(ValueError) as error:
        parser.parse_args(["--x", filled(text)])
    assert filled(complaint) in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_folder_that_may_not_be_written_is_told_at_once(tmp_path, monkeypatch):
    # Root, whom tests may run as, is refused nothing.
    monkeypatch.setattr(cli.os, "access", lambda path, mode: path != tmp_path)
    for kind in (cli.output_file, cli.output_folder):
        with pytest.raises(argparse.ArgumentTypeError, match="cannot be written"):
            kind(str(tmp_path / "new" / "result"))


def test_arguments_that_are_right_become_paths_and_make_nothing(tmp_path):
    new = tmp_path / "new" / "result"
    assert cli.output_file(str(new)) == cli.output_folder(str(new)) == new
    assert cli.input_folder(str(tmp_path)) == tmp_path
    assert cli.model_file("distilpose_s") == "distilpose_s"
    assert not list(tmp_path.iterdir())


def test_a_finished_run_is_kept_unless_it_is_to_be_replaced(tmp_path):
    cli.refuse_finished(tmp_path, overwrite=False)
    (tmp_path / "metrics.json").write_text("[]")
    cli.refuse_finished(tmp_path, overwrite=True)
    with pytest.raises(ValueError, match="--overwrite replaces it"):
        cli.refuse_finished(tmp_path, overwrite=False)


def test_a_model_may_come_before_the_inputs_and_has_a_default(tmp_path, monkeypatch):
    monkeypatch.setattr(preset_files, "FOLDER", tmp_path)
    preset, mine = tmp_path / "distilpose_nano.keras", tmp_path / "mine.onnx"
    preset.touch()
    mine.touch()
    assert cli.split_model(["a.jpg", "b.jpg"]) == (preset, ["a.jpg", "b.jpg"])
    assert cli.split_model(["distilpose_nano", "b.jpg"]) == (preset, ["b.jpg"])
    assert cli.split_model([str(mine), "b.jpg"]) == (mine, ["b.jpg"])
    exported = tmp_path / "distilpose_nano.onnx"
    exported.touch()
    assert cli.split_model(["a.jpg"]) == (exported, ["a.jpg"])
    assert cli.split_model(["distilpose_nano", "b.jpg"]) == (exported, ["b.jpg"])
    with pytest.raises(ValueError, match="needs an INPUT"):
        cli.split_model([str(mine)])
    with pytest.raises(ValueError, match="no such file: gone.onnx"):
        cli.split_model(["gone.onnx", "b.jpg"])


def test_of_a_preset_who_runs_it_takes_the_exported_file(tmp_path, monkeypatch):
    monkeypatch.setattr(preset_files, "FOLDER", tmp_path)
    for suffix in (".keras", ".onnx"):
        (tmp_path / f"a_preset{suffix}").touch()
    assert cli.runnable_model("a_preset") == tmp_path / "a_preset.onnx"
    assert cli.trained_model("a_preset") == tmp_path / "a_preset.keras"
    for kind in (cli.runnable_model, cli.trained_model):
        with pytest.raises(argparse.ArgumentTypeError, match="no trained weights of"):
            kind("another_preset")


@pytest.mark.parametrize("others", [[], ["photo.jpg"]])
def test_a_misspelt_preset_is_answered_with_the_nearest(tmp_path, monkeypatch, others):
    monkeypatch.setattr(preset_files, "FOLDER", tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "distilpose_nano.keras").touch()
    with pytest.raises(ValueError) as error:
        cli.split_model(["distilpose_nanoo", *others])
    message = str(error.value)
    assert message.startswith("input not found: distilpose_nanoo; as a model: no ")
    assert "did you mean 'distilpose_nano'?" in message
    # What is there is an input, whatever its name; so is what no model is called.
    (tmp_path / "distilpose_nanoo").mkdir()
    for first in ("distilpose_nanoo", "-", "0", "photos/*.jpg"):
        assert cli.split_model([first, *others])[1] == [first, *others]
