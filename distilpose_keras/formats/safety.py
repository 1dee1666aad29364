"""What is looked at before a file of unknown origin is given to its reader."""

import zipfile
from pathlib import Path

# A zip member of zeros is a thousandth of what it unpacks to. Weights do not shrink
# to a fiftieth, and what a small archive may unpack to fits into any memory.
LARGEST_RATIO = 50
ALLOWANCE_BYTES = 256 << 20


def check_zip(path):
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
        raise ValueError(f"not a whole archive: {path} ({error})") from None
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
