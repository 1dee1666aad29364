"""The page with all that it needs, as files by their addresses on a site.

What is served and what is written into a folder is the same: everything lies under one
address, and the page asks for nothing else.
"""

import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from distilpose_keras.files import atomic_path
from distilpose_keras.formats.metadata import (
    FINDING,
    POSES,
    RUNTIMES,
    read_metadata,
)
from distilpose_keras.formats.seal import seal_holds
from distilpose_keras.types import FilePath, Json
from distilpose_keras.web.runtimes import licenses, runtime_files

PAGE = Path(__file__).with_name("page")
INTEGER_ONLY = "int8-full"  # LiteRT.js gives a model no integers
FILES, LICENSES = "files.json", "runtimes/LICENSES.txt"

Site = dict[str, Path | bytes]  # an address, relative to the page, to its content


def page_site(
    models: Iterable[FilePath],
    *,
    finder: FilePath | None = None,
    runtimes: FilePath | None = None,
    say=print,
) -> Site:
    """Put the page, model files and their runtimes together.

    Args:
        models: ``.tflite`` and ``.onnx`` files; the page opens the first one.
        finder: such a file of a person finder; without, a picture shows one person.
        runtimes: see `runtime_files`.
        say: told in a line what is fetched.

    Raises:
        ValueError: if a file is missing, damaged or not ours, or two have one name.
        OSError: if the runtimes cannot be fetched.
    """
    served = _named(models)
    site: Site = {
        path.relative_to(PAGE).as_posix(): path
        for path in sorted(PAGE.rglob("*"))
        if path.is_file()
    }
    site |= runtime_files(runtimes, say=say)
    site[LICENSES] = licenses().encode()
    site |= served
    listed: Json = {"models": list(served)}
    if finder is not None:
        _check(path := Path(finder), FINDING)
        listed["finder"] = f"finder/{path.name}"
        site[listed["finder"]] = path
    site[FILES] = json.dumps(listed, indent=2).encode() + b"\n"
    return site


def _named(models):
    """Model files by their addresses, each looked at."""
    served = {}
    for path in map(Path, models):
        _check(path, POSES)
        address = f"models/{path.name}"
        if address in served:
            raise ValueError(
                f"two model files are called {path.name}: {served[address]} and {path}"
            )
        served[address] = path
    return served


def _check(path, task):
    """Raise a ValueError of one line if the page cannot run a file for a task."""
    if path.suffix not in RUNTIMES:
        raise ValueError(f"{path}: the page runs .tflite and .onnx files")
    if read_metadata(path, task)["precision"] == INTEGER_ONLY:
        raise ValueError(
            f"{path}: an {INTEGER_ONLY} file is for NPUs; browsers take int8, "
            "float16 and float32"
        )
    if seal_holds(path) is False:
        raise ValueError(f"{path}: damaged (its checksum is another)")


def write_site(site: Mapping[str, Path | bytes], folder: FilePath) -> None:
    """Write a site into a folder, for any host of static files.

    Raises:
        OSError: if the folder cannot be written.
    """
    for address, content in site.items():
        with atomic_path(Path(folder) / address) as temporary:
            if isinstance(content, bytes):
                temporary.write_bytes(content)
            else:
                shutil.copyfile(content, temporary)
