"""A checksum inside exported files, and a trial for those that have none.

The runtimes of ``.tflite`` and ``.onnx`` files trust what they read: a file with one
wrong byte can end the process that opens it. So a file says what its bytes add up to.
One that does not (of an older version, or of somebody else) is opened and run in a
process of its own first. The checksum tells damage; it is no signature.
"""

import hashlib
import io
import subprocess
import sys
import zipfile
from functools import lru_cache
from pathlib import Path

MEMBER = "sha256.txt"  # in the archive behind a TFLite file
KEY = b"distilpose_sha256"  # in the metadata of an ONNX file
DIGITS = 64
TRIAL_SECONDS, TRIAL_SECONDS_PER_MB = 10, 1
CRASHED = "its runtime crashes on it"
ON_TRIAL = set()  # in the process of a trial: the file that it is for


def sealed(content, suffix):
    """Return the bytes of a ``.tflite`` or ``.onnx`` file with their checksum."""
    if suffix == ".onnx":
        return content + _onnx_tail(content)
    stream = io.BytesIO(content)
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_STORED) as archive:
        digest = hashlib.sha256(content[: archive.start_dir]).hexdigest()
        member = zipfile.ZipInfo(MEMBER, (1980, 1, 1, 0, 0, 0))
        archive.writestr(member, digest)
    return stream.getvalue()


def _onnx_tail(content):
    """A ``metadata_props`` entry as protobuf writes it; fields may be appended."""
    digest = hashlib.sha256(content).hexdigest().encode()
    entry = b"\x0a%c%b\x12%c%b" % (len(KEY), KEY, DIGITS, digest)
    return b"\x72%c%b" % (len(entry), entry)


def seal_holds(path):
    """Return whether a file is as it was written; None if it has no checksum."""
    content = Path(path).read_bytes()
    if Path(path).suffix == ".onnx":
        size = len(_onnx_tail(b""))
        if KEY not in content[-size:]:
            return None
        return content[-size:] == _onnx_tail(content[:-size])
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            member = archive.getinfo(MEMBER)
            digest = archive.read(member).decode()
    except (zipfile.BadZipFile, KeyError, ValueError, EOFError, NotImplementedError):
        return None
    return hashlib.sha256(content[: member.header_offset]).hexdigest() == digest


def check_runs(path):
    """Refuse a file that its runtime may not survive.

    Args:
        path: a ``.tflite`` or ``.onnx`` file.

    Raises:
        ValueError: one line, if its bytes are not those that were written, or, if it
            has no checksum, if it cannot be opened and run.
    """
    path = Path(path).resolve()
    state = path.stat()
    _check_once(path, state.st_mtime_ns, state.st_size)


@lru_cache(64)
def _check_once(path, changed, size):
    holds = seal_holds(path)
    if holds is False:
        raise ValueError(f"{path}: damaged (its checksum is another)")
    if holds is None and path not in ON_TRIAL:
        _try_in_a_process(path, TRIAL_SECONDS + TRIAL_SECONDS_PER_MB * size / 1e6)


def _try_in_a_process(path, seconds):
    try:
        done = subprocess.run(
            [sys.executable, "-m", "distilpose_keras.formats.trial", path],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            env=_with_this_package(),
        )
    except subprocess.TimeoutExpired:
        raise ValueError(
            f"{path}: it did not run within {seconds:.0f} seconds"
        ) from None
    if done.returncode:
        said = done.stdout.decode("utf-8", "replace").strip().splitlines()
        raise ValueError(said[-1] if said else f"{path}: damaged ({CRASHED})")


def _with_this_package():
    import os

    import distilpose_keras

    root = str(Path(distilpose_keras.__file__).resolve().parents[1])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
