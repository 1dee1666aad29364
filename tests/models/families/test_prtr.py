"""PRTR: published weights, outputs and matches; its loss and its frozen layers."""

import keras
import numpy as np
import pytest
import recipe

from distilpose_keras.keypoints import COCO_17
from distilpose_keras.models.checkpoints import load_checkpoint, state_dict
from distilpose_keras.models.families.prtr import AssignQueries
from distilpose_keras.models.model import PoseModel, build_model
from distilpose_keras.models.presets import MODELS
from tests.models import deviation, reference
from tests.models.shrunken import shrunken
from tests.models.small import with_recipe_weights
from tests.models.steps import batch, trained

SIZES = ("256x192", "384x288", "512x384")
NAMES = [
    f"prtr_{backbone}_{size}"
    for backbone in ("resnet50", "resnet101", "hrnet_w32")
    for size in SIZES
]
OF_PARITY = [pytest.param(name, marks=pytest.mark.parity) for name in NAMES[1:]]
TOLERANCE = 1e-3  # of a deviation


def small(name=NAMES[0]):
    return with_recipe_weights(PoseModel(shrunken(MODELS[name])))


def arrays(outputs):
    return {name: keras.ops.convert_to_numpy(v) for name, v in outputs.items()}


def assert_near(found, expected, name):
    deviation.assert_near(found, expected, name, TOLERANCE)


def with_inner(model):
    """The model with what goes into the encoder and comes out of it."""
    inner = {
        "input_proj": model.get_layer("input_proj").output,
        "memory": model.get_layer("transformer-encoder-layers-5-norm2").output,
    }
    return keras.Model(model.inputs, {**model.output, **inner})


@pytest.mark.slow
@pytest.mark.backend
@pytest.mark.parametrize("name", [NAMES[0], *OF_PARITY])
def test_published_weights_give_the_published_outputs(name):
    described, expected = reference.published(name)
    model = build_model(name)
    state = {
        key: recipe.fill(key, shape)
        for key, shape, kind in described["state_dict"]
        if kind == "filled"
    }
    load_checkpoint(model, state)
    trainable = sum(np.prod(v.shape) for v in model.trainable_variables)
    assert trainable == described["trainable_params"]

    height, width = described["input_size"]
    images = recipe.images(2, seed=7, height=height, width=width)
    found = arrays(with_inner(model)(images, training=False))
    rows, columns = height // 32, width // 32
    for inner in ("input_proj", "memory"):
        maps = found[inner].reshape(2, rows, columns, -1)[:1, ..., ::4]
        assert_near(maps.transpose(0, 3, 1, 2), expected[inner], inner)
    for ours, theirs in (("logits", "logits"), ("points", "coords")):
        assert_near(found[ours][:, -1], expected[theirs], theirs)
        early = np.swapaxes(found[ours][:1, :-1], 0, 1)
        assert_near(early, expected[f"aux_{theirs}"], f"aux_{theirs}")
    places = np.take_along_axis(
        found["points"][:, -1], expected["query"][..., None], axis=1
    )
    np.testing.assert_array_equal(found["keypoints"], places)

    mirrored = arrays(model(np.ascontiguousarray(images[:, :, ::-1]), training=False))
    codec = model.pose_config.codec
    averaged = codec.average_mirrored(found, mirrored, COCO_17)
    for suffix, outputs in (("", found), ("_flip", averaged)):
        keypoints, scores = codec.decode(outputs)
        assert_near(keypoints, expected[f"keypoints{suffix}"], f"keypoints{suffix}")
        assert_near(scores[..., None], expected[f"score{suffix}"], f"score{suffix}")


@pytest.mark.backend
def test_each_joint_gets_a_query_of_its_own():
    # Both joints are likeliest at query 0, but the second loses less elsewhere.
    logits = np.log([[[0.6, 0.7, 0.1], [0.1, 0.6, 0.1], [0.2, 0.1, 9.0]]])
    # Over the joints alone: 6/13 and 7/13; 1/7 and 6/7; 2/3 and 1/3.
    points = np.array([[[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]]], "float32")
    layer = AssignQueries()
    keypoints, scores = layer(logits.astype("float32"), points, training=False)
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(keypoints)[0], points[0, [2, 1]], atol=1e-6
    )
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(scores)[0, :, 0], [2 / 3, 6 / 7], rtol=1e-5
    )
    equal = np.log([[[0.9, 0.1, 1], [0.8, 0.2, 1], [0.7, 0.3, 1]]]).astype("float32")
    keypoints, _ = layer(equal, points, training=False)
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(keypoints)[0], points[0, [0, 2]], atol=1e-6
    )


@pytest.mark.slow
@pytest.mark.backend
def test_training_lowers_the_set_loss():
    model = PoseModel(shrunken(MODELS[NAMES[0]]))
    losses = trained(model).fit(*batch(model, 4), epochs=12, verbose=0).history
    assert set(losses) == {"loss", "class", "keypoint"}
    assert losses["loss"][-1] < losses["loss"][0] - 0.5


@pytest.mark.backend
def test_a_resnet_keeps_its_norms_and_its_first_stage():
    model = small()
    before = state_dict(model)
    trained(model).fit(*batch(model), epochs=1, verbose=0)
    after = state_dict(model)
    kept = {key for key in before if (before[key] == after[key]).all()}
    first = ("backbone.conv1.", "backbone.layer1.")
    for key in before:
        frozen = key.startswith(first) or ".bn" in key or ".downsample.1." in key
        # The first decoder layer attends to queries of zeros: its values have no input.
        frozen = frozen or key.endswith("decoder.layers.0.self_attn.in_proj_v.weight")
        assert (key in kept) == frozen, key


def test_an_hrnet_is_trained_whole():
    model = PoseModel(shrunken(MODELS["prtr_hrnet_w32_256x192"]))
    assert all(layer.trainable for layer in model.layers)
    assert not model.pose_config.bgr and MODELS[NAMES[0]].bgr


def test_both_published_names_of_the_backbone_are_read(tmp_path):
    torch = pytest.importorskip("torch")
    model = small()
    state = state_dict(model)
    for prefix in ("backbone.0.body.", "backbone.body."):
        published = {
            key.replace("backbone.", prefix, 1): torch.from_numpy(value.copy())
            for key, value in state.items()
        }
        torch.save({"epoch": 3, "best_state_dict": published}, tmp_path / "best.pth")
        report = load_checkpoint(model, tmp_path / "best.pth")
        assert set(report.filled) == set(state)
    published["backbone.body.fc.weight"] = torch.ones(3)
    torch.save(published, tmp_path / "more.pth")
    with pytest.raises(ValueError, match=r"1 unread: backbone\.fc\.weight"):
        load_checkpoint(model, tmp_path / "more.pth")


def test_too_few_queries_are_refused():
    with pytest.raises(ValueError, match="17 queries.*Received: 16 queries, 6 layers"):
        MODELS[NAMES[0]].with_overrides(queries=16)
