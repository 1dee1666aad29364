"""What every command shares: one clear line for a user's mistake, and no chatter."""

import argparse
import importlib.abc
import importlib.util
import logging
import os
import re
import signal
import sys
import threading
import warnings
from contextlib import contextmanager
from pathlib import Path

from distilpose_keras import preset_files
from distilpose_keras.commands import extras
from distilpose_keras.files import standard_error_dropped

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


def positive_int(text):
    """Argument type: a whole number from 1."""
    if (value := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1. Received: {text}")
    return value


def keypoint_pairs(text):
    """Pairs of names or numbers from 0: ``left_eye:right_eye,3:4``."""
    pairs = [tuple(pair.split(":")) for pair in text.split(",")]
    if any(len(pair) != 2 or not all(pair) for pair in pairs):
        raise argparse.ArgumentTypeError(
            f"must be pairs such as left_eye:right_eye,3:4. Received: {text}"
        )
    return tuple(
        tuple(int(side) if side.isdigit() else side for side in pair) for pair in pairs
    )


# The flags --category and --flip-pairs.
CATEGORY = {
    "metavar": "NAME",
    "help": "name or id of the category that is meant (default: all that have the same "
    "keypoints)",
}
FLIP_PAIRS = {
    "type": keypoint_pairs,
    "metavar": "L:R,...",
    "help": "keypoints that a mirror exchanges, where their names do not tell",
}


def positive_float(text):
    """Argument type: a number above 0."""
    if not (value := float(text)) > 0:
        raise argparse.ArgumentTypeError(f"must be above 0. Received: {text}")
    return value


# argparse names a type by its function where `int` and `float` refuse the text.
positive_int.__name__, positive_float.__name__ = "int", "float"


def input_file(text):
    """Argument type: the path of a file that is there."""
    if not Path(text).is_file():
        raise argparse.ArgumentTypeError(f"no such file: {text}")
    return Path(text)


def input_folder(text):
    """Argument type: the path of a folder that is there."""
    if not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"no such folder: {text}")
    return Path(text)


def folder_or_url(text):
    """Argument type: the path of a folder that is there, or a URL as it is."""
    return text if "://" in text else input_folder(text)


MODEL_FILE = ".keras, .tflite or .onnx file, or a preset"
KERAS_FILE = "trained .keras file, or a preset"
# The flag --dark; None where it is not given: as the model's codec does.
DARK = {
    "action": "store_const",
    "const": True,
    "help": "refine the peaks of heatmaps by DARK, not by a quarter pixel",
}


def model_file(text):
    """Argument type: the path of a model file, or a name that the library may know."""
    return input_file(text) if Path(text).suffix in preset_files.SUFFIXES else text


def trained_model(text):
    """Argument type: the path of a model file, given as such or as a preset's name."""
    return _model(text, preset_files.model_file)


def runnable_model(text):
    """Argument type: the same, for who runs it alone: of a preset the exported file."""
    return _model(text, preset_files.runnable_file)


def _model(text, path_of):
    try:
        return input_file(path_of(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def split_model(texts):
    """Return the model that a list of arguments begins with, and the others.

    Without one it is the preset for phones.

    Raises:
        ValueError: if nothing but a model is given, there is no such model, or the
            first argument is a name of neither a model nor anything else.
    """
    first, *others = texts
    if re.fullmatch(r"[a-zA-Z][\w-]*", first) and not Path(first).exists():
        try:
            preset_files.preset_file(first)
        except ValueError as error:
            raise ValueError(f"input not found: {first}; as a model: {error}") from None
    if not preset_files.is_model(first):
        return preset_files.runnable_file(preset_files.DEFAULT), texts
    if not others:
        raise ValueError(f"a model needs an INPUT. Received: {first} alone")
    path = preset_files.runnable_file(first)
    if not path.is_file():
        raise ValueError(f"no such file: {first}")
    return path, others


def output_file(text):
    """Argument type: the path of a file that can be written, folders and all.

    Known before hours of work, not after them; nothing is made.
    """
    path = Path(text)
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"is a folder, not a file: {text}")
    output_folder(path.absolute().parent)
    return path


def output_folder(text):
    """Argument type: the path of a folder that can be written or made."""
    path = nearest = Path(text)
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.absolute().parent
    if not nearest.is_dir():
        raise argparse.ArgumentTypeError(f"is a file, not a folder: {nearest}")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise argparse.ArgumentTypeError(f"folder cannot be written: {nearest}")
    return path


def refuse_finished(folder, *, overwrite):
    """Raise if a folder holds the figures of an earlier run that is to be kept."""
    if (folder / "metrics.json").exists() and not overwrite:
        raise ValueError(f"{folder} holds a finished run; --overwrite replaces it")


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
    line = str(error)
    if isinstance(error, ModuleNotFoundError):
        line = extras.how_to_install(error.name) or line
    print(f"error: {' '.join(line.split())}", file=sys.stderr)
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
    warnings.formatwarning = lambda message, *_, **__: f"warning: {message}\n"
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
                with standard_error_dropped():  # the writers are not Python
                    execute(module)

            spec.loader.exec_module = exec_module
        return spec
