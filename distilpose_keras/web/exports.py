"""Files that browsers run, of trained models that they do not: made once and kept."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from distilpose_keras.files import remove_partial
from distilpose_keras.types import FilePath
from distilpose_keras.web.runtimes import cache_folder

SUFFIXES = (".tflite", ".onnx")  # the page opens the first one


def browser_files(
    model: FilePath, suffixes: Sequence[str] = SUFFIXES, *, say=print
) -> list[Path]:
    """Return the float32 files of a trained ``.keras`` file, exported if they are not.

    They lie in the cache, by the content of the model's file and this package's
    version.

    Args:
        model: the ``.keras`` file.
        suffixes: of the files that are wanted, some of `SUFFIXES`.
        say: told in a line what is exported.

    Raises:
        ValueError: if it is no such file.
        ModuleNotFoundError: if what exports is not installed.
    """
    path = Path(model)
    folder = cache_folder() / "exports" / _key(path)
    files = [folder / f"{path.stem}{suffix}" for suffix in suffixes]
    if not all(file.is_file() for file in files):
        say(f"exporting {path.name} for browsers, once")
        _export(path, files)
    return files


def _key(path):
    """A name for a file's content, exported by this version."""
    from importlib.metadata import version

    digest = hashlib.sha256(version("distilpose-keras").encode())
    digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _export(path, files):
    from distilpose_keras.export.onnx.write import export_onnx
    from distilpose_keras.export.tflite.write import export_tflite
    from distilpose_keras.models.model import load_model

    loaded = load_model(path)
    for file in files:
        export = export_onnx if file.suffix == ".onnx" else export_tflite
        if not file.is_file():
            export(loaded, file, precision="float32")
    remove_partial(files[0].parent)
