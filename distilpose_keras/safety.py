"""What is looked at before a file of unknown origin is given to its reader."""

import io
import json
import zipfile
from pathlib import Path

from distilpose_keras.types import FilePath

# A zip member of zeros is a thousandth of what it unpacks to. Weights do not shrink
# to a fiftieth, and what a small archive may unpack to fits into any memory.
LARGEST_RATIO = 50
ALLOWANCE_BYTES = 256 << 20
KERAS_MEMBERS = {"metadata.json", "config.json", "model.weights.h5"}
KERAS_CONFIG = {
    *("module", "class_name", "config", "registered_name"),
    *("build_config", "compile_config", "shared_object_id"),
}
LARGEST_NUMBER = 4096  # of layers, channels or pixels; the largest model has 2,048


def check_zip(path: FilePath) -> None:
    """Refuse an archive that would fill the memory, or write outside of its folder.

    Only the archive's directory is read.

    Args:
        path: a ``.keras``, ``.npz`` or ``.pth`` file.

    Raises:
        ValueError: one line, if it is no archive, or such a one.
    """
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, EOFError, NotImplementedError, ValueError) as error:
        raise ValueError(
            f"not a readable {path.suffix} file: {path} ({error})"
        ) from None
    for member in members:
        parts = member.filename.replace("\\", "/").split("/")
        if ".." in parts or parts[0] == "" or ":" in parts[0]:
            raise ValueError(
                f"{path} must hold relative names. Received: {member.filename[:80]!r}"
            )
    size = path.stat().st_size
    limit = ALLOWANCE_BYTES + LARGEST_RATIO * size
    unpacked = sum(member.file_size for member in members)
    if unpacked > limit:
        raise ValueError(
            f"{path} has {size} bytes and would unpack to {unpacked}: not a file of "
            "weights"
        )


def check_keras(path, *registered_names, what="a pose model"):
    """Read the configuration of a ``.keras`` file that can do no more than we wrote.

    Keras builds what a configuration names. Here that can only be our models: no other
    class, no part that is code, no sizes that fill the memory, no weights that HDF5
    would fetch from another file.

    Args:
        path: the file.
        *registered_names: of the classes that it may hold, as Keras writes them:
            ``package>Class``.
        what: they are, for the message.

    Returns:
        The configuration, a dict.

    Raises:
        ValueError: one line, if the file is damaged or holds anything else.
    """
    check_zip(path)
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
        if names != KERAS_MEMBERS:
            other = sorted(names ^ KERAS_MEMBERS)[:3]
            raise ValueError(f"not a .keras file of ours: {path} ({', '.join(other)})")
        try:
            config = json.loads(archive.read("config.json"))
            weights = archive.read("model.weights.h5")
        # Whatever a damaged member or document makes Python raise.
        except Exception as error:
            reason = " ".join(str(error).split())[:200]
            raise ValueError(f"not a readable .keras file: {path} ({reason})") from None
    found = config if isinstance(config, dict) else {}
    named = (found.get("registered_name"), found.get("class_name"))
    ours = [(name, name.partition(">")[2]) for name in registered_names]
    if named not in ours or set(found) - KERAS_CONFIG:
        raise ValueError(
            f"expected {what} saved by distilpose-keras: {path}. "
            f"Received: {str(found.get('class_name'))[:80]}"
        )
    largest = max(_numbers(found.get("config")), default=0)
    if largest > LARGEST_NUMBER:
        raise ValueError(
            f"a model's sizes must be at most {LARGEST_NUMBER}: {path}. "
            f"Received: {largest:.6g}"
        )
    _check_weights(weights, path)
    return config


def holds_class(path: FilePath, name: str) -> bool:
    """Return whether a ``.keras`` file says that it holds a class of this name."""
    try:
        with zipfile.ZipFile(path) as archive:
            return json.loads(archive.read("config.json"))["class_name"] == name
    # Whatever a damaged archive raises: who reads it whole says what is wrong.
    except Exception:
        return False


def _numbers(config):
    """Yield the numbers of a model's configuration; what is known about it may vary."""
    waiting = [config]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting += [inner for key, inner in value.items() if key != "metadata"]
        elif isinstance(value, list):
            waiting += value
        elif isinstance(value, int | float):
            yield abs(value)


def _check_weights(content, path):
    """Refuse HDF5 weights that point elsewhere or claim more than the file holds."""
    import h5py

    total = 0
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            waiting, seen = [file], set()
            while waiting:
                group = waiting.pop()
                for name in group:
                    link = group.get(name, getlink=True)
                    if not isinstance(link, h5py.HardLink):
                        raise ValueError(f"the link {name!r}")
                    item = group[name]
                    address = h5py.h5o.get_info(item.id).addr
                    if address in seen:
                        raise ValueError(f"{name!r} twice")
                    seen.add(address)
                    if isinstance(item, h5py.Group):
                        waiting.append(item)
                        continue
                    if item.external or item.is_virtual:
                        raise ValueError(f"{name!r} of another file")
                    total += item.nbytes
    # Whatever a damaged file makes HDF5 raise.
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"damaged model file: {path} ({reason})") from None
    if total > len(content):
        raise ValueError(
            f"damaged model file: {path} ({total} bytes of numbers in {len(content)})"
        )
