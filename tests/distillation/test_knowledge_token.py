"""ViTPose's knowledge token against its reference, and from teacher to student."""

import keras
import numpy as np
import pytest
import recipe

from distilpose_keras.distillation.knowledge_token import (
    student_with_token,
    teacher_with_token,
)
from distilpose_keras.losses.distilpose import heatmap_loss
from distilpose_keras.models.backbones.vit import KNOWLEDGE, KnowledgeToken
from distilpose_keras.models.deploy import deploy
from distilpose_keras.models.model import PoseModel, build_model, load_model
from distilpose_keras.models.presets import MODELS
from tests.gradients import value_and_gradients
from tests.models.shrunken import shrunken
from tests.models.small import with_recipe_weights
from tests.models.steps import batch, trained


def small(name="vitpose_s", **backbone):
    config = shrunken(MODELS[name])
    return config.with_overrides(backbone=backbone) if backbone else config


def numbers(tensors):
    return [keras.ops.convert_to_numpy(v) for v in tensors]


@pytest.mark.backend
def test_a_frozen_teacher_gets_the_reference_heatmaps_and_gradient(parity):
    reference = parity("families/vitpose/losses")
    images = recipe.images(2, seed=7)
    target = reference["knowledge_token/target"].astype("float32")
    weights = reference["knowledge_token/weight"][..., None]
    teacher = teacher_with_token(with_recipe_weights(build_model("vitpose_s")))
    (learned,) = teacher.trainable_variables
    others = [v.value for v in teacher.non_trainable_variables]
    token = recipe.fill("knowledge_token", (1, 1, 384))
    assert tuple(learned.shape) == token.shape

    def heatmaps(tensors):
        outputs, _ = teacher.stateless_call([tensors["token"]], others, images)
        return outputs["heatmaps"]

    def loss(tensors):
        return heatmap_loss(heatmaps(tensors), target, weights)

    maps = heatmaps({"token": keras.ops.convert_to_tensor(token)})
    maps = keras.ops.convert_to_numpy(maps)[:1, :, ::4, ::4]
    expected = reference["knowledge_token/heatmaps"]
    np.testing.assert_allclose(maps, expected, atol=5e-4 * expected.std())
    value, gradients = value_and_gradients(loss, {"token": token}, compiled=False)
    assert value == pytest.approx(float(reference["knowledge_token/loss"]), rel=1e-4)
    expected = reference["knowledge_token/grad_token"]
    # Float32 moves it by 2e-3 of the largest, through twelve sharp attentions.
    np.testing.assert_allclose(
        gradients["token"], expected, atol=5e-3 * np.abs(expected).max()
    )


@pytest.mark.backend
def test_the_token_comes_last_in_every_sample_and_fits_another_width():
    tokens = np.arange(24, dtype="float32").reshape(3, 4, 2)
    same, wider = KnowledgeToken(2), KnowledgeToken(3)
    for layer in (same, wider):
        layer.build(tokens.shape)
    same.token.assign([[[1.0, 2.0]]])
    wider.token.assign([[[1.0, 2.0, 3.0]]])
    wider.projection.assign([[1, 0], [0, 10], [100, 0]])
    for layer, last in ((same, [1, 2]), (wider, [301, 20])):
        joined = keras.ops.convert_to_numpy(layer(tokens))
        np.testing.assert_array_equal(joined[:, :4], tokens)
        np.testing.assert_array_equal(joined[:, 4], [last] * 3)
    assert same.projection is None
    assert not same.trainable_variables and len(wider.trainable_variables) == 1


@pytest.mark.backend
def test_from_teacher_to_student(tmp_path):
    trained_teacher = with_recipe_weights(PoseModel(small(drop_path=0.5)))
    teacher = teacher_with_token(trained_teacher)
    before = numbers(teacher.weights)
    trained(teacher).fit(*batch(teacher), epochs=1, verbose=0)
    changed = [
        variable.path
        for variable, old in zip(teacher.weights, before, strict=True)
        if np.any(keras.ops.convert_to_numpy(variable) != old)
    ]
    assert [path.split("/")[-2:] for path in changed] == [[KNOWLEDGE, "token"]]
    images, targets = batch(teacher)

    width = teacher.pose_config.backbone.dim
    student = student_with_token(small(dim=width // 2, heads=1), teacher)
    knowledge = student.get_layer(KNOWLEDGE)
    token = keras.ops.convert_to_numpy(teacher.get_layer(KNOWLEDGE).token)
    projection = keras.ops.convert_to_numpy(knowledge.projection)
    np.testing.assert_array_equal(knowledge.token, token)
    trained(student).fit(images, targets, epochs=1, verbose=0)
    np.testing.assert_array_equal(knowledge.token, token)  # known, not learned
    assert np.any(keras.ops.convert_to_numpy(knowledge.projection) != projection)

    # It is in the file, and in what is deployed.
    student.save(tmp_path / "student.keras")
    again = load_model(tmp_path / "student.keras")
    expected, found = (m(images, training=False)["heatmaps"] for m in (student, again))
    np.testing.assert_array_equal(*numbers([expected, found]))
    again = with_recipe_weights(again)  # fresh ones predict next to nothing
    scores = []
    for seed in (0, 1):
        other = np.random.default_rng(seed).normal(size=token.shape)
        again.get_layer(KNOWLEDGE).token.assign(other)
        scores.append(deploy(again, batch_size=1)(images[:1])["scores"])
    first, second = numbers(scores)
    assert np.abs(first - second).max() > 0.01 * np.abs(first).max()


@pytest.mark.slow
def test_a_student_with_a_token_is_exported(tmp_path):
    from distilpose_keras.export.onnx.write import export_onnx
    from distilpose_keras.export.tflite.write import export_tflite

    teacher = teacher_with_token(with_recipe_weights(PoseModel(small())))
    student = student_with_token(small(), teacher)
    export_onnx(student, tmp_path / "student.onnx")
    export_tflite(student, tmp_path / "student.tflite")


def test_what_takes_no_token_is_refused():
    teacher = PoseModel(small())
    hrnet = PoseModel(shrunken(MODELS["hrnet_w32"]))
    with pytest.raises(ValueError, match="expected a ViTPose. Received: hrnet_w32"):
        teacher_with_token(hrnet)
    with pytest.raises(ValueError, match="without a token. Received: vitpose_s"):
        teacher_with_token(teacher_with_token(teacher))
    with pytest.raises(ValueError, match="with a knowledge token"):
        student_with_token("vitpose_s", teacher)
    with pytest.raises(ValueError, match="expected a ViTPose. Received: hrnet_w32"):
        student_with_token(hrnet.pose_config, teacher_with_token(teacher))
