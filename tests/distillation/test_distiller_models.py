"""Distiller in other precisions, saved and loaded, and the models that it refuses."""

import keras
import numpy as np
import pytest
import tiny_pose

from distilpose_keras.distillation.distiller import Distiller
from distilpose_keras.models.model import PoseModel
from distilpose_keras.training.trainer import PoseTrainer
from tests.distillation.pairs import compiled, pair
from tests.models.small import small


@pytest.mark.backend
def test_mixed_precision_keeps_float32_weights_and_losses():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        student = tiny_pose.fill(tiny_pose.student(), 1)
    finally:
        keras.config.set_dtype_policy("float32")
    teacher = tiny_pose.fill(tiny_pose.teacher(), 2)
    distiller = compiled(Distiller(student=student, teacher=teacher))
    assert distiller.dtype_policy.name == "mixed_bfloat16"
    images, targets = tiny_pose.batch(4)
    outputs = distiller(images)
    loss = distiller.compute_loss(images, targets, outputs)
    assert keras.backend.standardize_dtype(loss.dtype) == "float32"
    assert all(v.dtype == "float32" for v in distiller.trainable_variables)
    assert np.isfinite(distiller.fit(images, targets, verbose=0).history["loss"]).all()


def test_float16_scales_the_loss():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        student = tiny_pose.student()
    finally:
        keras.config.set_dtype_policy("float32")
    distiller = compiled(Distiller(student=student))
    assert isinstance(distiller.optimizer, keras.optimizers.LossScaleOptimizer)


def test_a_saved_distiller_comes_back_with_its_student(tmp_path):
    student, teacher = pair()
    compiled(
        Distiller(student=student, teacher=teacher, loss_weights={"score": 0})
    ).save(tmp_path / "d.keras")
    loaded = keras.saving.load_model(tmp_path / "d.keras")
    assert loaded.teacher is None
    assert loaded.loss_weights == {"regression": 1.0}
    for saved, read in zip(
        student.get_weights(), loaded.model.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(saved, read)


@pytest.mark.parametrize(
    "student, teacher, message",
    [
        ({}, {"keypoints": 4}, "same number of keypoints"),
        ({"size": (32, 32)}, {}, "same input size"),
        ({"drop": "scores"}, {}, "student .* must predict 'scores'.*weight of 0"),
        ({"drop": "sigmas"}, {}, "student .* must predict 'sigmas'"),
        ({}, {"drop": "heatmaps"}, "teacher .* must predict 'heatmaps'"),
        ({"drop": "keypoints"}, None, "must predict 'keypoints' or 'heatmaps'"),
    ],
)
def test_models_that_do_not_fit_are_refused(student, teacher, message):
    def model(build, drop=None, **kwargs):
        built = build(**kwargs)
        outputs = {name: out for name, out in built.output.items() if name != drop}
        return keras.Model(built.input, outputs, name=built.name)

    student = model(tiny_pose.student, **student)
    teacher = teacher and model(tiny_pose.teacher, **teacher)
    if teacher == {}:
        teacher = tiny_pose.teacher()
    with pytest.raises(ValueError, match=message):
        Distiller(student=student, teacher=teacher)


def test_tokens_of_other_widths_are_refused_unless_their_term_is_off(monkeypatch):
    student = tiny_pose.student()
    monkeypatch.setattr(tiny_pose, "TOKEN_DIM", 4)
    teacher = tiny_pose.teacher()
    asked = {"keypoint_token": 1.0, "visual_token": 1.0}
    with pytest.raises(ValueError, match="same shape of keypoint_tokens"):
        Distiller(student=student, teacher=teacher, loss_weights=asked)
    Distiller(
        student=student,
        teacher=teacher,
        loss_weights={"keypoint_token": 0, "visual_token": 0},
    )
    with pytest.warns(UserWarning, match="no tokens to match.*keypoint_token"):
        distiller = Distiller(student=student, teacher=teacher)
    assert list(distiller.loss_weights) == ["regression", "simulated_heatmap", "score"]


def test_a_distiller_without_any_term_is_refused():
    with pytest.raises(ValueError, match="no loss term is left"):
        Distiller(student=tiny_pose.student(), loss_weights={"regression": 0})
    with pytest.raises(ValueError, match="must not be negative"):
        Distiller(student=tiny_pose.student(), loss_weights={"regression": -1})


def test_a_distiller_that_is_loaded_leaves_what_is_known_of_its_student():
    student, teacher = small(), small("tokenpose")
    distiller = Distiller(student=student, teacher=teacher)
    assert student.metadata["confidence"]
    again = Distiller.from_config(distiller.get_config())
    assert again.teacher is None
    assert again.model.metadata == student.metadata


def test_scores_count_where_somebody_taught_them():
    """Otherwise `PosePredictor` takes all keypoints for sure."""
    alone, labelled, taught, known = (small() for _ in range(4))
    Distiller(student=alone)
    PoseTrainer(labelled)
    Distiller(student=taught, teacher=small("tokenpose"))
    known.metadata["confidence"] = True  # as a file says
    PoseTrainer(known)
    found = [m.metadata["confidence"] for m in (alone, labelled, taught, known)]
    assert found == [False, False, True, True]
    # The peak of a heatmap is a score, whoever taught the map.
    maps = small("tokenpose")
    weights = {"teacher_heatmap": 1.0}
    Distiller(student=maps, teacher=small("tokenpose"), loss_weights=weights)
    assert maps.metadata.get("confidence", True)


def test_the_preset_for_phones_teaches_a_student_of_its_size():
    teacher = PoseModel.from_preset("distilpose_nano")
    size = teacher.pose_config.input_size
    student = small(input_size=size, transformer={"patch_size": (8, 8)})
    with pytest.warns(UserWarning, match="no tokens to match"):
        distiller = compiled(Distiller(student=student, teacher=teacher))
    images = np.zeros((1, *size, 3), "float32")
    maps = np.asarray(distiller.teach(images)["heatmaps"])
    assert maps.shape == (1, 17, size[0] // 4, size[1] // 4)
    assert 0 < maps.max() <= 1
