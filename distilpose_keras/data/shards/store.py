"""Folders that shards are read from: local ones, and what fsspec opens."""

import os
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from distilpose_keras.types import FilePath


class Store(Protocol):
    """A folder of files.

    Attributes:
        label: what messages call the folder.
    """

    label: str

    def open(self, name: str) -> BinaryIO:
        """Open a file for reading; it can be sought in."""
        ...

    def sizes(self) -> dict[str, int]:
        """Return the bytes of each file; empty if there is no such folder."""
        ...


def open_store(path: FilePath) -> Store:
    """Return a folder by its path, or by a URL that fsspec knows.

    Args:
        path: of a local folder, or such as ``s3://bucket/people``.

    Raises:
        ModuleNotFoundError: in one line, if it is a URL and fsspec, or what fsspec
            needs for it, is not installed.
        ValueError: if fsspec does not know the protocol.
    """
    if isinstance(path, str) and "://" in path:
        return RemoteFolder(path)
    return LocalFolder(path)


class LocalFolder:
    """A folder of this machine's file system."""

    def __init__(self, path: FilePath) -> None:
        """Look at nothing yet."""
        self.label = str(path)
        self._path = Path(path)

    def open(self, name: str) -> BinaryIO:
        """Open a file for reading."""
        return open(self._path / name, "rb")

    def sizes(self) -> dict[str, int]:
        """Return the bytes of each file; empty if there is no such folder."""
        if not self._path.is_dir():
            return {}
        with os.scandir(self._path) as entries:
            return {e.name: e.stat().st_size for e in entries if e.is_file()}


class RemoteFolder:
    """A folder that fsspec opens: an object store, another machine, memory."""

    def __init__(self, url: str) -> None:
        """Find who reads such URLs."""
        try:
            from fsspec.core import url_to_fs
        except ModuleNotFoundError:
            raise ModuleNotFoundError(
                f'{url} needs fsspec: pip install "distilpose-keras[shards]"'
            ) from None
        self.label = url.rstrip("/")
        try:
            self._files, self._path = url_to_fs(self.label)
        except ImportError as error:
            raise ModuleNotFoundError(f"{url} needs another package: {error}") from None

    def open(self, name: str) -> BinaryIO:
        """Open a file for reading."""
        with self._errors():
            return self._files.open(f"{self._path}/{name}", "rb")

    def sizes(self) -> dict[str, int]:
        """Return the bytes of each file; empty if there is no such folder."""
        self._files.invalidate_cache()
        try:
            with self._errors():
                found = self._files.ls(self._path, detail=True)
        except FileNotFoundError:
            return {}
        return {
            entry["name"].rpartition("/")[2]: entry["size"]
            for entry in found
            if entry["type"] == "file"
        }

    @contextmanager
    def _errors(self):
        """Make an OSError of what clients of stores raise, as without credentials."""
        try:
            yield
        except (OSError, ValueError):
            raise
        except Exception as error:
            raise OSError(f"{self.label}: {type(error).__name__}: {error}") from error


@contextmanager
def opened(store: Store, name: str):
    """Open a file for reading, within a ``with`` block.

    Raises:
        ValueError: naming the file, if it is missing or reading it fails.
    """
    try:
        with store.open(name) as file:
            yield file
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        raise ValueError(f"cannot read {store.label}/{name}: {reason}") from error
