"""What every command shares: one clear line for a user's mistake, and no chatter."""

import argparse
import importlib.abc
import importlib.util
import logging
import os
import signal
import sys
import threading
import warnings
from contextlib import contextmanager

# Before a backend is imported: its start-up log hides the one line that counts.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


class ArgumentParser(argparse.ArgumentParser):
    """A parser whose errors are one line, and whose help keeps its line breaks."""

    def __init__(self, **kwargs):
        """Take what argparse's parser takes."""
        kwargs.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(**kwargs)

    def error(self, message):
        """Report a wrong command line as a user's mistake."""
        raise ValueError(f"{message} (see {self.prog} --help)")


def run(main, argv=None):
    """Run a command and exit: 0 on success, 2 and one line on a user's mistake.

    130 after an interrupt and 143 after SIGTERM, as shells count them.

    Library code reports wrong input as `ValueError` and unreadable or unwritable
    files as `OSError`; a missing optional package is a `ModuleNotFoundError`.
    Anything else is a bug and keeps its traceback. With the environment variable
    ``DISTILPOSE_DEBUG`` set, mistakes keep theirs too.

    Args:
        main: function of the argument list that returns an exit code or None.
        argv: arguments; `sys.argv[1:]` by default.
    """
    _quiet()
    with _unwinding_on_signals() as signals:
        try:
            code = main(sys.argv[1:] if argv is None else argv)
        except BaseException as error:
            # What an interrupt stops while it loads raises an error of its own.
            code = _exit_code(error, signals[0] if signals else None)
    sys.exit(code or 0)


def _exit_code(error, number):
    """Say why a command ended by an error; raise it again if it is a bug.

    Args:
        error: what ended it.
        number: of the signal that came before, or None.
    """
    if number == signal.SIGTERM:
        print("terminated", file=sys.stderr)
        return 143
    if number == signal.SIGINT or isinstance(error, KeyboardInterrupt):
        print("interrupted", file=sys.stderr)
        return 130
    mistake = isinstance(error, ValueError | OSError | ModuleNotFoundError)
    if not mistake or os.environ.get("DISTILPOSE_DEBUG"):
        raise error
    print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
    return 2


class Terminated(BaseException):
    """Somebody asked the process to end (SIGTERM); it ends as after an interrupt."""


@contextmanager
def _unwinding_on_signals():
    """Let SIGINT and SIGTERM unwind the program; yield a list of those that came.

    By default SIGTERM ends the process where it stands: results are lost, and workers
    and half-written files are left. A second one still does so.
    """
    came = []

    def interrupt(number, frame):
        came.append(number)
        raise KeyboardInterrupt

    def terminate(number, frame):
        came.append(number)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        raise Terminated

    # A program that runs a command of ours in a thread keeps its own ways.
    if threading.current_thread() is not threading.main_thread():
        yield came
        return
    handlers = {signal.SIGINT: interrupt, signal.SIGTERM: terminate}
    before = {number: signal.signal(number, f) for number, f in handlers.items()}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _quiet():
    """Leave out what libraries say about themselves."""
    if os.environ.get("DISTILPOSE_DEBUG"):
        return
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    logging.getLogger("absl").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    if "tensorflow" not in sys.modules:
        sys.meta_path.insert(0, _QuietTensorFlow())


class _QuietTensorFlow(importlib.abc.MetaPathFinder):
    """Drops what TensorFlow's libraries write to standard error while they load.

    They do so before any setting of theirs is read, whatever their log level.
    """

    def find_spec(self, name, path=None, target=None):
        if name != "tensorflow":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module):
                with _standard_error_dropped():
                    execute(module)

            spec.loader.exec_module = exec_module
        return spec


@contextmanager
def _standard_error_dropped():
    """Send file descriptor 2 nowhere: the writers are not Python."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
