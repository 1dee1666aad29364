"""Models: published counts and outputs, files, errors."""

import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest
import recipe

from distilpose_keras import preset_files
from distilpose_keras.keypoints import KeypointSchema
from distilpose_keras.models.checkpoints import load_checkpoint, state_dict
from distilpose_keras.models.model import PoseModel, build_model, load_model
from distilpose_keras.models.presets import MODELS
from tests.models import reference
from tests.models.deviation import assert_near
from tests.models.shrunken import shrunken
from tests.models.small import images, small

# On every backend the smallest of each family; what is larger has no other layers.
QUICK = ("distilpose_s", "tokenpose_stemnet")
SLOW = ("simple_baseline_resnet50", "hrnet_w32", "deeppose_resnet50")
LARGER = (
    "distilpose_l",
    "tokenpose_hrnet_w48",
    "tokenpose_hrnet_w48_stage3",
    "simple_baseline_resnet101",
    "simple_baseline_resnet152",
    "hrnet_w48",
)
PUBLISHED = [
    *QUICK,
    *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW),
    *(pytest.param(name, marks=pytest.mark.parity) for name in LARGER),
]


@pytest.mark.backend
@pytest.mark.parametrize("name", PUBLISHED)
def test_published_weights_give_the_published_outputs(name):
    model = build_model(name)
    published = reference.state_dict(name)
    load_checkpoint(model, published)
    assert {key: v.shape for key, v in state_dict(model).items()} == {
        key: v.shape for key, v in published.items()
    }
    outputs = model(recipe.images(2, seed=7), training=False)
    trainable = sum(np.prod(v.shape) for v in model.trainable_variables)
    assert trainable == reference.description(name)["trainable_params"]
    for key, expected in reference.outputs(name).items():
        actual = keras.ops.convert_to_numpy(outputs[key])[: len(expected)]
        # The contract is 1e-3, float32 noise below 1e-4; GELU by tanh errs by 1.4e-3.
        assert_near(actual, expected, key, 5e-4)


@pytest.mark.backend
def test_a_student_and_a_teacher_return_the_documented_outputs():
    student, teacher = small(), small("tokenpose")
    images = np.zeros((2, 32, 24, 3), "float32")
    tokens = {"keypoint_tokens": (2, 17, 16), "visual_tokens": (2, 4, 16)}
    shapes = {k: tuple(v.shape) for k, v in student(images).items()}
    assert shapes == {
        "keypoints": (2, 17, 2),
        "scores": (2, 17, 1),
        "sigmas": (2, 17, 2),
        **tokens,
    }
    shapes = {k: tuple(v.shape) for k, v in teacher(images).items()}
    assert shapes == {"heatmaps": (2, 17, 8, 6), **tokens}


def test_deeppose_with_confidence_has_three_more_outputs_per_keypoint():
    published, distilled = (
        PoseModel(shrunken(MODELS[name]))
        for name in ("deeppose_resnet50", "deeppose_resnet50_distilled")
    )
    extra = distilled.count_params() - published.count_params()
    channels = published.get_layer("keypoint_head-fc").kernel.shape[0]
    assert extra == 17 * 3 * (channels + 1)
    assert set(distilled.output) == {"keypoints", "scores", "sigmas"}
    crops = np.zeros((1, *published.pose_config.input_size, 3), "float32")
    scores = published(crops)["scores"]
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(scores), 1)


@pytest.mark.backend
def test_mixed_precision_keeps_predictions_in_float32():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        outputs = small()(np.zeros((1, 32, 24, 3), "float32"))
        heatmaps = small("tokenpose")(np.zeros((1, 32, 24, 3), "float32"))
    finally:
        keras.config.set_dtype_policy("float32")
    predictions = [outputs[k] for k in ("keypoints", "scores", "sigmas")]
    for tensor in [*predictions, heatmaps["heatmaps"]]:
        assert keras.backend.standardize_dtype(tensor.dtype) == "float32"
    tokens = outputs["visual_tokens"]
    assert keras.backend.standardize_dtype(tokens.dtype) == "bfloat16"


@pytest.mark.backend
def test_a_saved_model_comes_back_with_its_schema_and_metadata(tmp_path):
    schema = KeypointSchema(
        names=("left_eye", "right_eye"),
        flip_pairs=((0, 1),),
        skeleton=((0, 1),),
        sigmas=(0.025, 0.025),
        upper_body=(0, 1),
    )
    model = small(schema=schema, name="eyes")
    model.metadata["ap"] = 0.5
    model.save(tmp_path / "eyes.keras")
    loaded = load_model(tmp_path / "eyes.keras")
    assert loaded.name == "eyes"
    assert loaded.pose_config == model.pose_config
    assert loaded.metadata == {"ap": 0.5}
    inputs = images()
    for key, expected in model(inputs).items():
        actual = keras.ops.convert_to_numpy(loaded(inputs)[key])
        np.testing.assert_array_equal(actual, keras.ops.convert_to_numpy(expected))


LOAD_ELSEWHERE = """
import sys
import keras, numpy as np
from distilpose_keras.models.model import load_model
model = load_model(sys.argv[1])
outputs = model(np.load(sys.argv[2]), training=False)
keypoints = keras.ops.convert_to_numpy(outputs["keypoints"])
assert keras.backend.backend() == "torch"
np.testing.assert_allclose(keypoints, np.load(sys.argv[3]), atol=1e-5)
"""


@pytest.mark.slow
def test_a_file_of_this_backend_loads_in_torch(tmp_path, root, monkeypatch):
    pytest.importorskip("torch")
    model, inputs = small(), images()
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "images.npy", inputs)
    keypoints = keras.ops.convert_to_numpy(model(inputs, training=False)["keypoints"])
    np.save(tmp_path / "keypoints.npy", keypoints)
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    files = [tmp_path / n for n in ("model.keras", "images.npy", "keypoints.npy")]
    subprocess.run([sys.executable, "-c", LOAD_ELSEWHERE, *files], check=True, cwd=root)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ValueError, match="no such model file: .*absent.keras"):
        load_model(tmp_path / "absent.keras")


def test_a_truncated_file_is_named(tmp_path):
    path = tmp_path / "model.keras"
    small().save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ValueError, match="not a readable .keras file: .*model.keras"):
        load_model(path)


def test_a_file_with_damaged_weights_is_named(tmp_path):
    path, damaged = tmp_path / "model.keras", tmp_path / "damaged.keras"
    small().save(path)
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(damaged, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            target.writestr(name, data[: len(data) // 2] if "weights" in name else data)
    with pytest.raises(ValueError, match="damaged model file: .*damaged.keras") as info:
        load_model(damaged)
    assert "\n" not in str(info.value)


def test_a_foreign_keras_file_is_refused(tmp_path):
    path = tmp_path / "foreign.keras"
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(path)
    with pytest.raises(ValueError, match="foreign.keras. Received: Sequential"):
        load_model(path)


def test_an_unknown_name_has_a_nearest_one():
    with pytest.raises(ValueError, match="unknown model 'distilpose_xl'; did you mean"):
        build_model("distilpose_xl")


def test_a_model_starts_from_the_weights_of_a_file(tmp_path):
    trained = small()
    trained.metadata["ap"] = 0.25
    trained.save(tmp_path / "trained.keras")
    model = build_model(trained.pose_config, weights=tmp_path / "trained.keras")
    for ours, theirs in zip(model.get_weights(), trained.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert model.metadata == {"ap": 0.25}
    with pytest.raises(ValueError, match="of another model"):
        build_model(small(width=16).pose_config, weights=tmp_path / "trained.keras")


def test_a_preset_is_a_file_or_a_name_with_weights(tmp_path, monkeypatch):
    small().save(tmp_path / "nano.keras")
    assert PoseModel.from_preset(tmp_path / "nano.keras").name == "small"
    monkeypatch.setattr(preset_files, "FOLDER", tmp_path)
    assert PoseModel.from_preset("nano").name == "small"
    with pytest.raises(ValueError, match="no trained weights of 'micro'.*nano"):
        PoseModel.from_preset("micro")
