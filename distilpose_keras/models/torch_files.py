"""Reads what `torch.save` wrote: tensors become arrays, without PyTorch.

Two formats are known: the zip archive of today (``data.pkl`` beside one member for
each storage) and the sequence of pickles of PyTorch before 1.6, followed by the
storages. A pickle of NumPy arrays alone is read too. No code of a file is run, see
`inert_pickle`, and no storage is read before one of its tensors is asked for.
"""

import io
import math
import zipfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from distilpose_keras.models import inert_pickle
from distilpose_keras.models.inert_pickle import InertArray, Name, PickledDtype
from distilpose_keras.safety import check_zip

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C  # the first pickle of a file before 1.6
BFLOAT16 = "bfloat16"  # which NumPy has not
STORAGE_DTYPES = {
    "torch.DoubleStorage": "f8",
    "torch.FloatStorage": "f4",
    "torch.HalfStorage": "f2",
    "torch.BFloat16Storage": BFLOAT16,
    "torch.LongStorage": "i8",
    "torch.IntStorage": "i4",
    "torch.ShortStorage": "i2",
    "torch.CharStorage": "i1",
    "torch.ByteStorage": "u1",
    "torch.BoolStorage": "?",
    "torch.ComplexFloatStorage": "c8",
    "torch.ComplexDoubleStorage": "c16",
    "torch.storage.UntypedStorage": "u1",
}
DTYPES = {"torch.uint16": "u2", "torch.uint32": "u4", "torch.uint64": "u8"}
PLAIN_DTYPES = {"b1", *(kind + size for kind in "iuf" for size in "1248")} - {"f1"}


@dataclass(frozen=True)
class Storage:
    """Numbers in a file that tensors are views of.

    Attributes:
        key: its name in the file.
        dtype: NumPy's name of the type, or `BFLOAT16`.
        size: how many numbers.
    """

    key: str
    dtype: str
    size: int


@dataclass(frozen=True)
class Tensor:
    """A tensor in a file: where its numbers are.

    Attributes:
        storage: `Storage`.
        offset: of its first number in the storage.
        shape: sizes of its axes.
        strides: of its axes, in numbers.
    """

    storage: Storage
    offset: int
    shape: tuple
    strides: tuple


class TorchFile:
    """A file of `torch.save`; a context manager that closes it.

    Attributes:
        root: what was saved: plain values, `Tensor` and `InertArray` for arrays, and
            `Inert` for all other objects.
    """

    def __init__(self, path):
        """Read the structure of ``path``, but no numbers.

        Raises:
            Exception: of any kind, if the file is damaged.
        """
        self._archive = None
        with open(path, "rb") as file:
            zipped = file.read(4) == b"PK\x03\x04"
        if zipped:
            check_zip(path)
            self._archive = zipfile.ZipFile(path)
            self._read_archive()
        else:
            self._read_pickles(Path(path).read_bytes())

    def __enter__(self):
        """Return the file."""
        return self

    def __exit__(self, *_):
        """Close the file and forget its numbers."""
        if self._archive is not None:
            self._archive.close()

    def array(self, value):
        """Return the numbers of a `Tensor` or `InertArray`; bfloat16 as float32.

        Raises:
            Exception: of any kind, if the file is damaged.
        """
        if isinstance(value, InertArray):
            return _numpy_array(value)
        flat = self._storage(value.storage)
        last = value.offset + sum(
            (size - 1) * stride
            for size, stride in zip(value.shape, value.strides, strict=True)
        )
        size = math.prod(value.shape)
        numbers = (value.offset, *value.shape, *value.strides)
        # More numbers than are stored are no parameters, but a bomb.
        if min(numbers) < 0 or size > len(flat) or (size and last >= len(flat)):
            raise ValueError(f"a tensor {value.shape} outside of its storage")
        strides = [stride * flat.itemsize for stride in value.strides]
        return np.lib.stride_tricks.as_strided(
            flat[value.offset :], value.shape, strides, writeable=False
        )

    def _read_archive(self):
        read = self._archive.read
        members = {n.partition("/")[2]: n for n in self._archive.namelist()}
        big = "byteorder" in members and read(members["byteorder"]) == b"big"

        @lru_cache(None)
        def storage(wanted):
            data = read(members[f"data/{wanted.key}"])
            return _numbers(data, wanted, ">" if big else "<")

        self._storage = storage
        self.root = self._unpickle(io.BytesIO(read(members["data.pkl"])))

    def _read_pickles(self, content):
        file = io.BytesIO(content)
        self.root = self._unpickle(file)
        if not isinstance(self.root, int) or self.root != LEGACY_MAGIC:
            return  # a pickle of another program, such as one of NumPy arrays
        self._unpickle(file)  # the version of the format
        little = self._unpickle(file).get("little_endian", True)
        storages, positions = {}, {}
        self.root = self._unpickle(file, storages)
        for key in self._unpickle(file):
            size = int.from_bytes(file.read(8), "little" if little else "big")
            if size != storages[key].size:
                raise ValueError(f"a storage of {size}, not {storages[key].size}")
            positions[key] = file.tell()
            file.seek(size * _itemsize(storages[key]), io.SEEK_CUR)

        @lru_cache(None)
        def storage(wanted):
            start = positions[wanted.key]
            data = content[start : start + wanted.size * _itemsize(wanted)]
            return _numbers(data, wanted, "<" if little else ">")

        self._storage = storage

    def _unpickle(self, file, storages=None):
        """Read one pickle; collect its storages by their keys."""

        def storage(identity):
            kind, name, key, _, size, *view = identity
            if kind not in ("storage", b"storage") or any(v is not None for v in view):
                raise ValueError(f"a persistent id of kind {kind!r}")
            if not isinstance(key, str) or not isinstance(size, int):
                raise ValueError("a storage without key or size")
            found = Storage(key, STORAGE_DTYPES[name.path], size)
            if storages is not None:
                storages[key] = found
            return found

        return inert_pickle.load(file, MAKERS, storage)


def _itemsize(storage):
    return 2 if storage.dtype == BFLOAT16 else np.dtype(storage.dtype).itemsize


def _numbers(data, storage, order):
    """The numbers of a storage (N,), from its bytes."""
    if len(data) != storage.size * _itemsize(storage):
        raise ValueError(f"a storage of {len(data)} bytes, expected {storage.size}")
    if storage.dtype != BFLOAT16:
        return np.frombuffer(data, np.dtype(storage.dtype).newbyteorder(order))
    # The upper half of a float32.
    halves = np.frombuffer(data, np.dtype("u2").newbyteorder(order))
    return (halves.astype(np.uint32) << 16).view(np.float32)


def _tensor(storage, offset, shape, strides, *_):
    if not isinstance(storage, Storage):
        raise ValueError("a tensor without a storage")
    numbers = (offset, *shape, *strides)
    if not all(isinstance(number, int) for number in numbers):
        raise ValueError("a tensor whose sizes are no whole numbers")
    return Tensor(storage, offset, tuple(shape), tuple(strides))


def _tensor_of_dtype(storage, offset, shape, strides, _, hooks, dtype, *rest):
    itemsize = np.dtype(DTYPES[dtype.path]).itemsize
    typed = Storage(storage.key, DTYPES[dtype.path], storage.size // itemsize)
    return _tensor(typed, offset, shape, strides)


def _parameter(tensor, *_):
    return tensor


def _subclassed(function, _, arguments, *rest):
    if not isinstance(function, Name):
        raise ValueError("a tensor that no name makes")
    return MAKERS[function.path](*arguments)


def _ordered_dict(items=()):
    made = {}
    inert_pickle.set_items(made, items)
    return made


def _array(*_):
    return InertArray()


def _dtype(code, *_):
    return PickledDtype(code if isinstance(code, str) else code.decode())


def _encode(text, *_):
    return text.encode("latin1")


def _numpy_array(pickled):
    """The array that NumPy would make of a state."""
    _, shape, dtype, fortran, data = pickled.state
    if dtype.code not in PLAIN_DTYPES:
        raise ValueError(f"an array of dtype {dtype.code!r}")
    order = ">" if dtype.state and dtype.state[1] == ">" else "<"
    if isinstance(data, str):
        data = data.encode("latin1")
    values = np.frombuffer(data, np.dtype(dtype.code).newbyteorder(order))
    return values.reshape(shape, order="F" if fortran else "C")


# What stands for the functions that files of tensors name.
MAKERS = {
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _tensor_of_dtype,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "torch._tensor._rebuild_from_type_v2": _subclassed,
    "collections.OrderedDict": _ordered_dict,
    "numpy.core.multiarray._reconstruct": _array,
    "numpy._core.multiarray._reconstruct": _array,
    "numpy.dtype": _dtype,
    "_codecs.encode": _encode,
}
