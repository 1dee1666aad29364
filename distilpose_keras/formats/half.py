"""Model files whose weights are stored in half precision."""

import io
import zipfile

import h5py
import numpy as np

from distilpose_keras.files import atomic_path
from distilpose_keras.types import FilePath

WEIGHTS = "model.weights.h5"
# The largest float16; a weight above it would be read back as infinite.
LARGEST = float(np.finfo(np.float16).max)


def write_half(source: FilePath, target: FilePath) -> None:
    """Copy a ``.keras`` file with its float32 weights rounded to float16.

    Keras reads the copy as it reads the original: the weights are float32 again, and
    differ by at most 2^-11 of their size. The file takes half the room.

    Args:
        source: ``.keras`` file.
        target: file to write; replaced if it exists.

    Raises:
        ValueError: if a weight is beyond the range of float16.
    """
    with zipfile.ZipFile(source) as archive, atomic_path(target) as temporary:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as copy:
            for name in archive.namelist():
                data = archive.read(name)
                copy.writestr(name, _halved(data) if name == WEIGHTS else data)


def _halved(data):
    """The bytes of an HDF5 file with all float32 arrays in float16."""
    written = io.BytesIO()
    with h5py.File(io.BytesIO(data), "r") as source, h5py.File(written, "w") as copy:
        copy.attrs.update(source.attrs)

        def visit(name, item):
            if isinstance(item, h5py.Dataset):
                target = copy.create_dataset(name, data=_rounded(name, item[()]))
            else:
                target = copy.require_group(name)
            target.attrs.update(item.attrs)

        source.visititems(visit)
    return written.getvalue()


def _rounded(name, values):
    """Float32 values as float16, others as they are."""
    if values.dtype != np.float32:
        return values
    if np.abs(values).max(initial=0.0) > LARGEST:
        raise ValueError(f"{name} has values beyond float16's {LARGEST:.0f}")
    return values.astype(np.float16)
