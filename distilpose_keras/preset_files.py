"""Trained weights that come with the package, by name; no Keras is needed to look."""

import difflib
import os
from pathlib import Path

from distilpose_keras.types import FilePath

FOLDER = Path(__file__).with_name("presets")
DEFAULT = "distilpose_nano"
SUFFIXES = (".keras", ".tflite", ".onnx")


def preset_names() -> list[str]:
    """Return the names of the models whose trained weights are in the package."""
    return sorted(path.stem for path in FOLDER.glob("*.keras"))


def preset_file(name: str) -> Path:
    """Return the ``.keras`` file of a model whose weights are in the package.

    Raises:
        ValueError: if there are no weights of that name; one line with the nearest.
    """
    names = preset_names()
    if name in names:
        return FOLDER / f"{name}.keras"
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise ValueError(
        f"no trained weights of {name!r} are in this package; {hint}there are: "
        f"{', '.join(names) or 'none'}. A model file is given by its path"
    )


def is_model(text: FilePath) -> bool:
    """Return whether a text names a model: a file by its suffix, or a preset."""
    return Path(text).suffix in SUFFIXES or str(text) in preset_names()


def model_file(model: FilePath) -> Path:
    """Return the path of a model file that is given by path or by a preset's name.

    Whether a file is there is left to who opens it.

    Raises:
        ValueError: if it is neither; one line.
    """
    path = Path(model)
    if path.suffix in SUFFIXES:
        return path
    if path.suffix or os.sep in str(model) or path.exists():
        raise ValueError(
            f"a model file must end in {', '.join(SUFFIXES)}. Received: {model}"
        )
    return preset_file(str(model))


def runnable_file(model: FilePath) -> Path:
    """Return the path of the file that is opened to predict.

    That of a preset by name is its ``.onnx`` file: it opens in a fraction of the time
    of the ``.keras`` file, and needs neither Keras nor a backend.

    Raises:
        ValueError: as `model_file` does.
    """
    exported = FOLDER / f"{model}.onnx"
    if str(model) in preset_names() and exported.is_file():
        return exported
    return model_file(model)
