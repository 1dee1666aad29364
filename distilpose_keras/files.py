"""Files that are either whole or absent."""

import json
import os
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from distilpose_keras.types import FilePath

PARTIAL = ".partial-"


def partial_prefix(path: FilePath) -> str:
    """Return how the temporary names of a file or folder begin: hidden, and ours."""
    return f".{Path(path).stem}{PARTIAL}"


def remove_partial(folder: FilePath) -> None:
    """Remove what a process that was killed had begun to write, in subfolders too.

    Args:
        folder: that no other process is writing to.
    """
    for path in sorted(Path(folder).rglob(f".*{PARTIAL}*"), reverse=True):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


@contextmanager
def atomic_path(path: FilePath) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that replaces it on success.

    The temporary name keeps the suffix, which some writers insist on. On an error
    (a full disk, an interrupt) the temporary file is removed and what was under
    ``path`` before stays as it was.

    Args:
        path: the final file; its folder is made if missing.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(
        prefix=partial_prefix(path), suffix=path.suffix, dir=path.parent
    )
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes private files; a result is as readable as any other file.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def new_folder(path: FilePath) -> Iterator[Path]:
    """Yield a temporary folder beside ``path`` that becomes it on success.

    Args:
        path: the final folder; it must be absent or empty.

    Raises:
        ValueError: if it is a file or has contents.
    """
    path = Path(path)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise ValueError(f"output folder must be empty or absent. Received: {path}")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=partial_prefix(path), dir=path.parent))
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o777 & ~umask)
        if path.exists():
            path.rmdir()
        temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Hold SIGINT and SIGTERM back while results are saved; they take effect after."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals reach the main thread alone
        return
    held = []
    before = {
        number: signal.signal(number, lambda number, frame: held.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for number in held[:1]:
            signal.raise_signal(number)


def write_json(path: FilePath, data: Any) -> None:
    """Write ``data`` as indented JSON, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(data, indent=2) + "\n")


@contextmanager
def standard_error_dropped() -> Iterator[None]:
    """Send file descriptor 2 nowhere, for what is not written by Python."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
