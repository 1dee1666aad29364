"""Files of `torch.save`, read without PyTorch: the judge is PyTorch itself."""

import pickle
import zipfile

import numpy as np
import pytest

from distilpose_keras.models.inert_pickle import Inert
from distilpose_keras.models.torch_files import TorchFile

torch = pytest.importorskip("torch")

DTYPES = (
    *("float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8"),
    *("uint8", "uint16", "uint32", "uint64", "bool", "complex64", "complex128"),
)


def numbers(dtype):
    values = torch.arange(24).reshape(2, 3, 4) % 2 == 1
    if dtype != "bool":
        values = (torch.arange(24).reshape(2, 3, 4) * 3).to(getattr(torch, dtype))
    return values


def as_numpy(tensor):
    """What PyTorch says that a tensor holds; NumPy has no bfloat16."""
    tensor = tensor.detach()
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_type_is_read_as_torch_reads_it(tmp_path, dtype, zipped):
    path = tmp_path / "a.pth"
    if not zipped and dtype in ("uint16", "uint32", "uint64"):
        pytest.skip("PyTorch cannot read what it writes here")
    saved = {"a": numbers(dtype)}
    torch.save(saved, path, _use_new_zipfile_serialization=zipped)
    expected = as_numpy(torch.load(path, weights_only=True)["a"])
    with TorchFile(path) as file:
        found = file.array(file.root["a"])
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_views_of_one_storage_are_told_apart(tmp_path, zipped):
    base = torch.arange(60.0).reshape(3, 4, 5)
    views = {
        "turned": base.permute(2, 0, 1),
        "part": base[1:, ::2, 3],
        "scalar": base[2, 3, 4],
        "empty": base[:0],
        "parameter": torch.nn.Parameter(base[0].T),
    }
    torch.save(views, tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    with TorchFile(tmp_path / "a.pth") as file:
        for name, view in views.items():
            np.testing.assert_array_equal(file.array(file.root[name]), as_numpy(view))


def test_arrays_of_a_plain_pickle_are_read(tmp_path):
    arrays = {
        "order": np.asfortranarray(np.arange(6, dtype=">f4").reshape(2, 3)),
        "flags": np.array([True, False]),
    }
    for protocol in (2, 4):
        (tmp_path / "a.pkl").write_bytes(pickle.dumps(arrays, protocol))
        file = TorchFile(tmp_path / "a.pkl")
        for name, array in arrays.items():
            np.testing.assert_array_equal(file.array(file.root[name]), array)


class Logger:
    """Anything beside the tensors that is no plain value."""

    def __init__(self):
        self.seen = [1, 2]


@pytest.mark.parametrize("protocol", [2, 4])
def test_objects_stay_what_the_file_says_of_them(tmp_path, protocol):
    torch.save({"log": Logger()}, tmp_path / "a.pth", pickle_protocol=protocol)
    logger = TorchFile(tmp_path / "a.pth").root["log"]
    assert isinstance(logger, Inert)
    assert logger.path == f"{__name__}.Logger"
    assert logger.state == {"seen": [1, 2]}


HOSTILE = {
    "a call of a built-in": b"cbuiltins\neval\n(X\x01\x00\x00\x001tR.",
    "a call of what was made": b"ccollections\nOrderedDict\n)R)R.",
    "an instance": b"(X\x04\x00\x00\x00trueios\nsystem\n.",
    "an attribute of a name": b"cos\nsystem\n(N}X\x01\x00\x00\x00aK\x01stb.",
    "an extension": b"\x82\x01.",
    "a memo index beyond all memory": b"Nr\xff\xff\xff\xff.",
    "bytes beyond all memory": b"\x80\x05\x96\xff\xff\xff\xff\xff\xff\xff\x00.",
    "a key of a million tuples": b"})" + b"\x85" * 1_000_000 + b"Ns.",
}


@pytest.mark.parametrize("program", HOSTILE.values(), ids=HOSTILE)
def test_no_instruction_of_a_pickle_acts(tmp_path, program, monkeypatch):
    import builtins
    import os

    called = []
    monkeypatch.setattr(os, "system", called.append)
    monkeypatch.setattr(builtins, "eval", called.append)
    (tmp_path / "a.pth").write_bytes(b"\x80\x02" + program)
    try:
        TorchFile(tmp_path / "a.pth")
    except Exception as error:  # as its docstring says: of any kind
        assert not isinstance(error, MemoryError)
    assert called == []


def test_a_tensor_cannot_be_larger_than_its_storage(tmp_path):
    torch.save({"a": torch.zeros(1).expand(10**9)}, tmp_path / "a.pth")
    with (
        TorchFile(tmp_path / "a.pth") as file,
        pytest.raises(ValueError, match=r"tensor \(1000000000,\) outside"),
    ):
        file.array(file.root["a"])


def test_an_archive_that_unpacks_to_far_more_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\0" * (400 << 20))
    with pytest.raises(ValueError, match="would unpack to 419430400"):
        TorchFile(tmp_path / "a.pth")
