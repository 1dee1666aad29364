"""Checkpoint files: their arrays are read, and no code in them is run."""

import os
import pickle

import numpy as np
import pytest

from distilpose_keras.models.checkpoint_files import (
    read_state_dict,
    without_module_prefix,
)


@pytest.mark.parametrize("wrapper", [None, "state_dict", "model_state_dict", "model"])
def test_parameters_are_found_in_every_wrapper(tmp_path, wrapper):
    torch = pytest.importorskip("torch")
    tensors = {
        "module.weight": torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
        "module.steps": torch.tensor(7),
    }
    checkpoint = tensors if wrapper is None else {wrapper: tensors, "epoch": 3}
    torch.save(checkpoint, tmp_path / "a.pth")
    state = read_state_dict(tmp_path / "a.pth")
    assert set(state) == {"weight", "steps"}
    assert state["weight"].tolist() == [1.5, -2.0]
    assert state["weight"].dtype == np.float32  # NumPy has no bfloat16
    assert state["steps"] == 7 and state["steps"].dtype == np.int64


def test_a_prefix_on_some_keys_must_not_hide_others():
    assert without_module_prefix({"module.a": 1, "b": 2}, "x") == {"a": 1, "b": 2}
    with pytest.raises(ValueError, match="with and without 'module.': x"):
        without_module_prefix({"module.a": 1, "a": 2}, "x")
    with pytest.raises(ValueError, match="no parameters: x"):
        without_module_prefix({}, "x")


class Exploit:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("writer", ["torch", "pickle"])
def test_a_pickle_that_runs_code_is_refused(tmp_path, writer):
    torch = pytest.importorskip("torch")
    path, proof = tmp_path / "evil.pth", tmp_path / "code-ran"
    checkpoint = {"state_dict": {"weight": Exploit(proof)}}
    if writer == "torch":
        torch.save(checkpoint, path)
    else:
        path.write_bytes(pickle.dumps(checkpoint, protocol=2))
    with pytest.raises(ValueError, match="evil.pth.*Refused") as info:
        read_state_dict(path)
    assert "\n" not in str(info.value)
    assert not proof.exists()
    # The file is dangerous indeed: plain unpickling runs it.
    pickle.loads(pickle.dumps(Exploit(proof)))
    assert proof.exists()


def test_object_arrays_in_npz_are_refused(tmp_path):
    path, proof = tmp_path / "evil.npz", tmp_path / "code-ran"
    np.savez(path, weight=np.array([Exploit(proof)], dtype=object))
    with pytest.raises(ValueError, match="not a readable .npz file: .*evil.npz"):
        read_state_dict(path)
    assert not proof.exists()


@pytest.mark.parametrize("name", ["a.pth", "a.npz", "a.safetensors"])
def test_missing_and_damaged_files_are_named(tmp_path, name):
    if name.endswith(".pth"):
        pytest.importorskip("torch")
    path = tmp_path / name
    with pytest.raises(ValueError, match=f"no such checkpoint: .*{name}"):
        read_state_dict(path)
    path.write_bytes(b"PK\x03\x04 not a checkpoint")
    with pytest.raises(ValueError, match=name) as info:
        read_state_dict(path)
    assert "\n" not in str(info.value)


def test_a_single_array_is_no_npz_file(tmp_path):
    with open(tmp_path / "array.npz", "wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(ValueError, match="not a readable .npz file: .*array.npz"):
        read_state_dict(tmp_path / "array.npz")


def test_a_checkpoint_without_tensors_is_refused(tmp_path):
    torch = pytest.importorskip("torch")
    torch.save({"epoch": 3}, tmp_path / "epoch.pth")
    with pytest.raises(ValueError, match="Not a tensor: .'epoch'"):
        read_state_dict(tmp_path / "epoch.pth")
    torch.save([torch.zeros(1)], tmp_path / "list.pth")
    with pytest.raises(ValueError, match="expected a dict .*list.pth. Received: list"):
        read_state_dict(tmp_path / "list.pth")
