"""Published checkpoints: every key read, every weight filled, no code run."""

import numpy as np
import pytest

from distilpose_keras.models.checkpoints import (
    init_backbone_from,
    load_checkpoint,
    state_dict,
    torch_keys,
)
from distilpose_keras.models.layers import sine_position_code
from distilpose_keras.models.model import PoseModel
from distilpose_keras.models.presets import MODELS
from tests.models.shrunken import shrunken
from tests.models.small import recipe_state, small

KERNEL = "backbone.conv1.weight"
QKV = "keypoint_head.tokenhead.transformer.layers.0.0.fn.fn.to_qkv.weight"


@pytest.fixture(scope="module")
def model():
    return small()


@pytest.fixture
def state(model):
    """A complete checkpoint of the model with weights of its own."""
    return recipe_state(model)


def assert_holds(model, state):
    for key, value in state_dict(model).items():
        np.testing.assert_array_equal(value, state[key], err_msg=key)


def test_a_stored_position_code_must_be_ours(model, state):
    key = "keypoint_head.tokenhead.pos_embedding"
    load_checkpoint(model, {**state, key: sine_position_code(2, 2, 16)[None]})
    with pytest.raises(ValueError, match="pos_embedding is not the 2D sine code"):
        load_checkpoint(model, {**state, key: np.zeros((1, 4, 16), "float32")})


@pytest.mark.backend
@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_array_files_are_read_without_torch(model, state, tmp_path, suffix):
    path = tmp_path / f"weights{suffix}"
    if suffix == ".npz":
        np.savez(path, **state)
    else:
        pytest.importorskip("safetensors.numpy").save_file(state, path)
    report = load_checkpoint(model, path)
    assert_holds(model, state)
    assert set(report.filled) == set(state)
    assert report.kept == report.unused == ()


@pytest.mark.backend
@pytest.mark.parametrize("wrapped", [True, False])
def test_torch_files_are_read_as_mmcv_writes_them(model, state, tmp_path, wrapped):
    torch = pytest.importorskip("torch")
    tensors = {f"module.{k}": torch.from_numpy(v.copy()) for k, v in state.items()}
    tensors["module.backbone.bn1.num_batches_tracked"] = torch.tensor(7)
    checkpoint = tensors
    if wrapped:
        meta = {"epoch": 210, "hook_msgs": {"best_score": np.float64(0.716)}}
        checkpoint = {"meta": meta, "state_dict": tensors, "optimizer": {"lr": 1e-3}}
    torch.save(checkpoint, tmp_path / "best_AP.pth")
    load_checkpoint(model, tmp_path / "best_AP.pth")
    assert_holds(model, state)


def test_half_precision_parameters_are_read(model, state, tmp_path):
    torch = pytest.importorskip("torch")
    tensors = {k: torch.from_numpy(v).to(torch.bfloat16) for k, v in state.items()}
    torch.save(tensors, tmp_path / "half.pth")
    load_checkpoint(model, tmp_path / "half.pth")
    assert_holds(model, {k: v.float().numpy() for k, v in tensors.items()})


def spoil_missing(state):
    del state[KERNEL]


def spoil_unread(state):
    state["backbone.conv9.weight"] = np.zeros(3, "float32")


def spoil_transposed(state):
    state[QKV] = state[QKV].T


def spoil_several(state):
    spoil_missing(state)
    spoil_unread(state)
    spoil_transposed(state)


@pytest.mark.parametrize(
    ("spoil", "messages"),
    [
        (spoil_missing, [f"1 missing: {KERNEL}"]),
        (spoil_unread, ["1 unread: backbone.conv9.weight"]),
        (spoil_transposed, [f"wrong shape: {QKV} (16, 48) for (48, 16)"]),
        (spoil_several, ["1 missing", "1 unread", "1 of the wrong shape"]),
    ],
)
def test_what_does_not_fit_is_listed_and_nothing_is_loaded(
    model, state, spoil, messages
):
    before = state_dict(model)
    spoil(state)
    state["backbone.bn1.bias"] = state["backbone.bn1.bias"] + 1
    with pytest.raises(ValueError) as info:
        load_checkpoint(model, state)
    for message in messages:
        assert message in str(info.value)
    assert "\n" not in str(info.value)
    assert_holds(model, before)


def test_a_checkpoint_of_another_model_is_refused_in_a_short_line(model, state):
    other = {f"encoder.{key}": value for key, value in state.items()}
    with pytest.raises(ValueError, match=f"{len(state)} missing: .* and ") as info:
        load_checkpoint(model, other)
    assert len(str(info.value)) < 600


def test_the_report_says_which_set_was_read(model, state):
    averages = {f"ema.{key}": value * 0 for key, value in state.items()}
    report = load_checkpoint(model, state | averages)
    assert_holds(model, state)
    assert str(report).endswith("; read 'the weights', not 'ema'")


def test_a_backbone_is_filled_from_a_bare_imagenet_checkpoint(state):
    model = small()
    before = state_dict(model)
    bare = {
        key.removeprefix("backbone."): value
        for key, value in state.items()
        if key.startswith("backbone.")
    }
    bare["fc.weight"] = np.zeros((1000, 16), "float32")
    report = load_checkpoint(model, bare, backbone_only=True)
    for key, value in state_dict(model).items():
        source = state if key.startswith("backbone.") else before
        np.testing.assert_array_equal(value, source[key], err_msg=key)
    assert report.unused == ("backbone.fc.weight",)
    assert len(report.filled) + len(report.kept) == len(before)
    assert str(report).startswith(f"filled {len(report.filled)} weights, kept ")


def test_a_student_starts_from_its_teachers_first_three_stages():
    student, teacher = (
        PoseModel(shrunken(MODELS[name]))
        for name in ("distilpose_l", "tokenpose_hrnet_w48")
    )
    head = {k: v for k, v in state_dict(student).items() if "tokenhead" in k}
    report = init_backbone_from(student, teacher)
    actual, expected = state_dict(student), state_dict(teacher)
    for key in report.filled:
        np.testing.assert_array_equal(actual[key], expected[key], err_msg=key)
    assert all(key.startswith("backbone.") for key in report.filled)
    assert any(key.startswith("backbone.stage4") for key in report.unused)
    assert set(report.kept) == set(head)
    for key, value in head.items():
        np.testing.assert_array_equal(actual[key], value, err_msg=key)


def test_a_backbone_is_taken_from_files_of_both_kinds(tmp_path):
    source = small("tokenpose")
    expected = state_dict(source)
    source.save(tmp_path / "teacher.keras")
    np.savez(tmp_path / "teacher.npz", **expected)
    for name in ("teacher.keras", "teacher.npz"):
        model = small()
        report = init_backbone_from(model, tmp_path / name)
        np.testing.assert_array_equal(state_dict(model)[KERNEL], expected[KERNEL])
        assert KERNEL in report.filled
        assert "keypoint_head.tokenpose.keypoint_token" in report.unused


def test_a_backbone_of_another_width_is_refused():
    wide = small(width=16)
    narrow = small()
    with pytest.raises(ValueError, match="of the wrong shape: backbone.conv1.weight"):
        init_backbone_from(narrow, wide)


def test_no_two_weights_share_a_key():
    for head in ("distilpose", "tokenpose"):
        model = small(head)
        assert len(torch_keys(model)) == len(model.variables)
