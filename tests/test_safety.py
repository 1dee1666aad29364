"""Archives and .keras files of strangers: refused before anything is built."""

import io
import json
import zipfile

import h5py
import numpy as np
import pytest

from distilpose_keras.safety import check_keras, check_zip

NAME = "package>Model"
CONFIG = {
    "module": "package.models",
    "class_name": "Model",
    "registered_name": NAME,
    "config": {"width": 64, "metadata": {"seen": 10**9}},
}


def h5(fill):
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        fill(file)
    return stream.getvalue()


def plain(file):
    file.create_group("layers")["kernel"] = np.arange(6.0)


def keras_file(path, config=None, weights=plain, **members):
    members = {
        "metadata.json": "{}",
        "config.json": json.dumps(config or CONFIG),
        "model.weights.h5": h5(weights),
        **members,
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            if content is not None:
                archive.writestr(name, content)
    return path


def test_a_file_as_keras_writes_it_is_read(tmp_path):
    assert check_keras(keras_file(tmp_path / "a.keras"), NAME) == CONFIG


@pytest.mark.parametrize(
    "change",
    [
        {"class_name": "Lambda"},
        {"class_name": "__lambda__"},
        {"class_name": "function"},
        {"registered_name": "builtins>eval"},
        {"registered_name": None},
        {"custom_objects": {}},
    ],
)
def test_only_our_class_is_named(tmp_path, change):
    path = keras_file(tmp_path / "a.keras", CONFIG | change)
    with pytest.raises(ValueError, match="expected a pose model saved by .*a.keras"):
        check_keras(path, NAME)


@pytest.mark.parametrize(
    "members",
    [
        {"../../evil.py": "x"},
        {"assets/vocabulary": "x"},
        {"model.weights.npz": "x"},
        {"model.weights.h5": None},
    ],
)
def test_members_are_those_of_ours(tmp_path, members):
    path = keras_file(tmp_path / "a.keras", **members)
    with pytest.raises(ValueError, match="a.keras"):
        check_keras(path, NAME)


def test_a_model_of_any_size_is_not_built(tmp_path):
    config = CONFIG | {"config": {"layers": [10**9]}}
    with pytest.raises(ValueError, match="at most 4096: .*a.keras. Received: 1e.09"):
        check_keras(keras_file(tmp_path / "a.keras", config), NAME)


def external_link(file):
    file["kernel"] = h5py.ExternalLink("/etc/other.h5", "kernel")


def soft_link(file):
    file["kernel"] = h5py.SoftLink("/elsewhere")


def external_storage(file):
    file.create_dataset("kernel", (4,), "f4", external=[("/etc/hostname", 0, 16)])


def gigabytes_of_nothing(file):
    file.create_dataset("kernel", (10**10,), "f4", chunks=(1 << 20,))


def virtual(file):
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("/etc/other.h5", "kernel", (4,))
    file.create_virtual_dataset("kernel", layout)


@pytest.mark.parametrize(
    "weights",
    [external_link, soft_link, external_storage, gigabytes_of_nothing, virtual],
)
def test_weights_are_in_the_file_itself(tmp_path, weights):
    path = keras_file(tmp_path / "a.keras", weights=weights)
    with pytest.raises(ValueError, match="damaged model file: .*a.keras"):
        check_keras(path, NAME)


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", "C:/x", "..\\x"])
def test_an_archive_stays_in_its_folder(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr(name, "x")
    with pytest.raises(ValueError, match="must hold relative names"):
        check_zip(tmp_path / "a.npz")


def test_an_archive_may_be_compressed_but_is_no_bomb(tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, weights=np.zeros(10**6))
    check_zip(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(3):
            archive.writestr(f"{number}.npy", bytes(100 << 20))
    with pytest.raises(ValueError, match="would unpack to 314572800"):
        check_zip(path)
