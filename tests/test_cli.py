import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from distilpose_keras import cli

ROOT = Path(__file__).resolve().parents[1]


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
from distilpose_keras import cli

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
def test_tensorflow_says_nothing_before_the_error():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, cwd=ROOT
    )
    assert (done.returncode, done.stderr) == (2, "error: bad tensorflow\n")
