"""RLE: published weights, outputs and decoding; its flow and its teachers."""

import keras
import numpy as np
import pytest
import recipe

from distilpose_keras.distillation.distiller import Distiller
from distilpose_keras.keypoints import COCO_17
from distilpose_keras.models.checkpoints import load_checkpoint, state_dict
from distilpose_keras.models.model import PoseModel, build_model, load_model
from distilpose_keras.models.presets import MODELS
from distilpose_keras.training.trainer import PoseTrainer
from tests.models import deviation, reference
from tests.models.shrunken import shrunken
from tests.models.small import with_recipe_weights
from tests.models.steps import batch, trained

FLOW_PARAMS = 53_784
NAMES = ["rle_resnet50", "rle_resnet50_mmpose", "rle_hrnet_w48"]
TOLERANCE = 1e-3  # of a deviation, as the references state


def small(name="rle_resnet50"):
    return with_recipe_weights(PoseModel(shrunken(MODELS[name])))


def arrays(outputs):
    return {name: keras.ops.convert_to_numpy(v) for name, v in outputs.items()}


def assert_near(found, expected, name):
    deviation.assert_near(found, expected, name, TOLERANCE)


def with_feature(model):
    """The model with its pooled feature as one more output."""
    feature = model.get_layer("feature").output
    return keras.Model(model.inputs, {**model.output, "feature": feature})


@pytest.mark.backend
@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [*NAMES[:2], pytest.param(NAMES[2], marks=pytest.mark.parity)],
)
def test_published_weights_give_the_published_outputs(name):
    expected = reference.arrays(name)
    description = reference.description(name)
    model = build_model(name)
    load_checkpoint(model, reference.state_dict(name))
    counted = sum(np.prod(v.shape) for v in model.trainable_variables)
    assert counted == description["inference_params"]
    assert counted + FLOW_PARAMS == description["trainable_params"]

    network, images = with_feature(model), recipe.images(2, seed=7)
    found = arrays(network(images, training=False))
    mirrored = arrays(model(images[:, :, ::-1], training=False))
    origin = 0.0 if name.endswith("mmpose") else 0.5
    assert_near(found["feature"], expected["feature"], "feature")
    assert_near(found["keypoints"] - origin, expected["coords"], "coords")
    assert_near(found["sigmas"], expected["sigma"], "sigma")
    codec = model.pose_config.codec
    averaged = codec.average_mirrored(found, mirrored, COCO_17)
    for suffix, outputs in (("", found), ("_flip", averaged)):
        keypoints, scores = codec.decode(outputs)
        assert_near(keypoints, expected[f"keypoints{suffix}"], f"keypoints{suffix}")
        assert_near(scores[..., None], expected[f"scores{suffix}"], f"scores{suffix}")


def test_keys_of_older_files_of_mmpose_are_read():
    model = small("rle_resnet50_mmpose")
    width = model.get_layer("head-fc").kernel.shape[0]
    head = {"weight": np.ones((68, width), "float32"), "bias": np.ones(68, "float32")}
    state = {f"keypoint_head.fc.{key}": value for key, value in head.items()}
    flow = {"keypoint_head.loss.flow_model.s.0.0.weight": np.ones((64, 2))}
    read = model.pose_config.read_checkpoint({**state, **flow})
    assert set(read) == {"head.fc.weight", "head.fc.bias"}


def test_an_unknown_key_of_a_checkpoint_is_refused():
    model = small()
    with pytest.raises(ValueError, match="1 unread: fc_score.weight"):
        load_checkpoint(
            model,
            {
                **{
                    key: recipe.fill(key, value.shape)
                    for key, value in checkpoint_of(model).items()
                },
                "flow.mask": np.ones((6, 2), "float32"),
                "fc_score.weight": np.ones(3, "float32"),
            },
        )


def checkpoint_of(model):
    return {
        key.replace("backbone.", "preact.", 1): value
        for key, value in state_dict(model).items()
    }


@pytest.mark.slow
@pytest.mark.backend
def test_the_flow_is_trained_with_the_model_and_no_part_of_it(tmp_path):
    model = small()
    trainer = trained(model)
    flow = trainer.label_loss.trainable_variables
    assert sum(np.prod(v.shape) for v in flow) == FLOW_PARAMS
    assert len(trainer.trainable_variables) == len(model.trainable_variables) + 6
    before = [keras.ops.convert_to_numpy(v).copy() for v in flow]
    trainer.fit(*batch(model), epochs=1, verbose=0)
    after = [keras.ops.convert_to_numpy(v) for v in flow]
    assert all((a != b).any() for a, b in zip(before, after, strict=True))
    model.save(tmp_path / "model.keras")
    assert load_model(tmp_path / "model.keras").count_params() == model.count_params()


@pytest.mark.slow
@pytest.mark.backend
def test_training_lowers_minus_the_likelihood():
    model = PoseModel(shrunken(MODELS["rle_resnet50"]))
    trainer = trained(model)
    losses = trainer.fit(*batch(model, 4), epochs=12, verbose=0).history["loss"]
    assert losses[-1] < losses[0] - 5


@pytest.mark.slow
@pytest.mark.backend
def test_a_teacher_of_heatmaps_teaches_it(recwarn):
    student = small()
    teacher = with_recipe_weights(PoseModel(shrunken(MODELS["hrnet_w32"])))
    distiller = Distiller(student=student, teacher=teacher)
    distiller.compile(optimizer=keras.optimizers.Adam(1e-3), jit_compile=False)
    logs = distiller.train_on_batch(*batch(student), return_dict=True)
    assert set(logs) == {"loss", "rle", "simulated_heatmap", "score"}
    assert all(np.isfinite(value) for value in logs.values())
    assert any("no tokens to match" in str(w.message) for w in recwarn)
    # Its labels teach it to score: a file says so whoever else did.
    assert student.metadata.get("confidence", True)


def test_a_teacher_sees_pictures_as_it_was_trained_on_them():
    student = small()
    teacher = with_recipe_weights(PoseModel(shrunken(MODELS["hrnet_w32"])))
    height, width = student.pose_config.input_size
    picture = recipe.picture(height, width, seed=1)[None]
    distiller = Distiller(student=student, teacher=teacher)
    seen = distiller.teach(
        distiller.prepare_images(keras.ops.convert_to_tensor(picture))
    )
    own = PoseTrainer(teacher).prepare_images(keras.ops.convert_to_tensor(picture))
    expected = keras.ops.convert_to_numpy(teacher(own, training=False)["heatmaps"])
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(seen["heatmaps"]), expected, atol=1e-4
    )


def test_sigmas_are_shown_in_heatmap_pixels():
    sigmas = np.full((1, 17, 2), 0.25, "float32")
    shown = MODELS["rle_resnet50"].shown({"sigmas": sigmas})["sigmas"]
    shown = keras.ops.convert_to_numpy(shown)
    np.testing.assert_allclose(shown[0, 0], [12, 16])  # of 48 x 64
