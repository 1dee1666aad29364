"""Checkpoint files: their arrays are read, and no code in them is run."""

import os
import pickle

import numpy as np
import pytest

from distilpose_keras.models.checkpoint_files import (
    read_checkpoint,
    read_state_dict,
    without_prefixes,
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
    assert without_prefixes({"module.a": 1, "b": 2}, "x").state == {"a": 1, "b": 2}
    with pytest.raises(ValueError, match="with and without 'module.': a in x"):
        without_prefixes({"module.a": 1, "a": 2}, "x")
    with pytest.raises(ValueError, match="no parameters: x"):
        without_prefixes({}, "x")


@pytest.mark.parametrize(
    "prefix",
    [
        *("module.", "_orig_mod.", "model.", "student.", "module.model.student."),
        *("model._orig_mod.", "_orig_mod.module.", "model.student._orig_mod.module."),
    ],
)
def test_prefixes_of_wrappers_are_taken_off_in_any_order(prefix):
    state = {f"{prefix}backbone.conv1.weight": 1, f"{prefix}head.model.bias": 2}
    found = without_prefixes(state, "x")
    # Only in front: a module of the network may have such a name.
    assert found.state == {"backbone.conv1.weight": 1, "head.model.bias": 2}
    assert str(found) == ""


@pytest.mark.parametrize(
    ("other", "name"),
    [
        ("ema.module.backbone.conv1.weight", "ema"),
        ("ema_backbone_conv1_weight", "ema"),  # mmcv registers averages as buffers
        ("model.teacher.backbone.conv1.weight", "teacher"),
    ],
)
def test_averages_and_teachers_among_the_weights_are_left_and_named(other, name):
    state = {"model.student.backbone.conv1.weight": 1, other: 2, "n_averaged": 3}
    found = without_prefixes(state, "x")
    assert found.state == {"backbone.conv1.weight": 1}
    assert str(found) == f"read 'the weights', not {name!r}"
    assert without_prefixes({other.replace("_b", ".b"): 2}, "x").taken == name


def save(path, checkpoint):
    pytest.importorskip("torch").save(checkpoint, path)
    return path


def tensors(value, prefix=""):
    import torch

    return {f"{prefix}conv.weight": torch.full((2,), float(value))}


@pytest.mark.parametrize(
    ("checkpoint", "value", "said"),
    [
        ({"model": 1, "model_ema": 2}, 1, "read 'model', not 'model_ema'"),
        ({"ema": 2, "state_dict": 1}, 1, "read 'state_dict', not 'ema'"),
        ({"ema": {"module": 2}}, 2, "read 'ema.module'"),
        ({"student": 1, "teacher": 2}, 1, "read 'student', not 'teacher'"),
        ({"model": {"student": 1, "teacher": 2}}, 1, "read 'model.student', not"),
    ],
)
def test_which_set_was_read_is_said(tmp_path, checkpoint, value, said):
    pytest.importorskip("torch")

    def filled(tree):
        if isinstance(tree, dict):
            return {key: filled(inner) for key, inner in tree.items()}
        return tensors(tree, "module.")

    optimizer = {"state": {0: {"exp_avg": filled(5)["module.conv.weight"]}}}
    whole = {"epoch": 3, "optimizer": optimizer, **filled(checkpoint)}
    found = read_checkpoint(save(tmp_path / "a.pth", whole))
    assert found.state["conv.weight"].tolist() == [value, value]
    assert str(found).startswith(said)


class Logger:
    """What trainers put beside the weights: an object of their own."""

    def __init__(self):
        self.history = [1.0, 2.0]


def test_objects_beside_the_tensors_are_passed_over(tmp_path):
    pytest.importorskip("torch")
    whole = {"state_dict": tensors(7), "logger": Logger(), "args": slice(1, 2)}
    state = read_state_dict(save(tmp_path / "a.pth", whole))
    assert {key: value.tolist() for key, value in state.items()} == {
        "conv.weight": [7, 7]
    }


def test_a_whole_module_is_read_without_its_class(tmp_path):
    torch = pytest.importorskip("torch")
    module = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    expected = {key: value.numpy() for key, value in module.state_dict().items()}
    for name, checkpoint in {"bare": module, "entry": {"model": module}}.items():
        state = read_state_dict(save(tmp_path / f"{name}.pt", checkpoint))
        assert set(state) == set(expected)
        for key, value in expected.items():
            np.testing.assert_array_equal(state[key], value)


def test_an_object_without_tensors_is_named_with_the_way_out(tmp_path):
    path = save(tmp_path / "a.pth", Logger())
    with pytest.raises(ValueError, match="class .*Logger.*torch.save.model.state_dict"):
        read_state_dict(path)


def test_a_checkpoint_in_itself_ends(tmp_path):
    loop = {"epoch": 1}
    loop |= {"model": loop, "module": loop, "state_dict": loop, "ema": loop}
    with pytest.raises(ValueError, match="expected a dict of parameters"):
        read_state_dict(save(tmp_path / "a.pth", loop))


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
    with pytest.raises(ValueError, match="expected a dict of.*evil.pth") as info:
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
    with pytest.raises(ValueError, match="epoch.pth. Received a dict with epoch"):
        read_state_dict(tmp_path / "epoch.pth")
    torch.save([torch.zeros(1)], tmp_path / "list.pth")
    with pytest.raises(ValueError, match="expected a dict .*list.pth. Received: list"):
        read_state_dict(tmp_path / "list.pth")
