"""Distiller under `fit`, `evaluate` and `predict`, and what it refuses."""

import keras
import numpy as np
import pytest
import tiny_pose

from distilpose_keras.distillation.distiller import Distiller
from distilpose_keras.losses import distilpose as losses
from distilpose_keras.pixels import normalize_images
from tests.distillation.pairs import compiled, pair

ONES = dict.fromkeys(
    (
        "regression",
        "keypoint_token",
        "visual_token",
        "simulated_heatmap",
        "score",
    ),
    1.0,
)
PAPER = {
    "regression": 1.0,
    "keypoint_token": 5e-4,
    "visual_token": 5e-4,
    "simulated_heatmap": 1.0,
    "score": 1e-2,
}


def expected_terms(student, teacher, images, targets):
    """The terms of a batch by the loss functions alone, in inference mode."""
    images = normalize_images(images)
    seen = teacher(images, training=False)
    outputs = student(images, training=False)
    heatmaps, weights = seen["heatmaps"], targets["weights"]
    scores = losses.score_targets(outputs["keypoints"], heatmaps)
    terms = {
        "regression": losses.regression_loss(
            outputs["keypoints"], targets["keypoints"], weights
        ),
        "keypoint_token": losses.token_loss(
            outputs["keypoint_tokens"], seen["keypoint_tokens"]
        ),
        "visual_token": losses.token_loss(
            outputs["visual_tokens"], seen["visual_tokens"]
        ),
        "simulated_heatmap": losses.simulated_heatmap_loss(
            outputs["keypoints"], outputs["sigmas"], heatmaps, weights
        ),
        "score": losses.score_loss(outputs["scores"], scores, weights),
    }
    return {
        term: float(keras.ops.convert_to_numpy(value)) for term, value in terms.items()
    }


@pytest.mark.backend
def test_evaluate_reports_the_weighted_terms_and_their_sum():
    student, teacher = pair()
    images, targets = tiny_pose.batch(6)
    metrics = compiled(Distiller(student=student, teacher=teacher)).evaluate(
        images, targets, batch_size=6, return_dict=True, verbose=0
    )
    expected = {
        term: PAPER[term] * value
        for term, value in expected_terms(student, teacher, images, targets).items()
    }
    assert metrics.pop("loss") == pytest.approx(sum(expected.values()), rel=1e-5)
    assert metrics == pytest.approx(expected, rel=1e-5)


@pytest.mark.backend
def test_metrics_of_an_uneven_last_batch_count_every_sample_once():
    student, teacher = pair()
    images, targets = tiny_pose.batch(5)
    distiller = compiled(Distiller(student=student, teacher=teacher))
    whole = distiller.evaluate(images, targets, batch_size=5, verbose=0)
    parts = distiller.evaluate(images, targets, batch_size=3, verbose=0)
    np.testing.assert_allclose(parts, whole, rtol=1e-5)


@pytest.mark.backend
def test_fit_trains_the_student_and_leaves_the_teacher_alone():
    student, teacher = pair()
    before = [np.copy(w) for w in teacher.get_weights()]
    distiller = compiled(Distiller(student=student, teacher=teacher, loss_weights=ONES))
    history = distiller.fit(tiny_pose.Dataset(), epochs=4, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    assert set(history) == {"loss", *PAPER}
    for old, new in zip(before, teacher.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.backend
def test_the_teacher_is_in_no_list_of_trained_or_saved_variables(tmp_path):
    student, teacher = pair()
    distiller = compiled(Distiller(student=student, teacher=teacher))
    distiller.fit(tiny_pose.Dataset(samples=4), verbose=0)
    teachers = {id(v) for v in teacher.variables}
    assert not teachers & {id(v) for v in distiller.trainable_variables}
    assert not teachers & {id(v) for v in distiller.variables}
    # SGD: iteration and learning rate, no momentum; nothing for the teacher.
    assert len(distiller.optimizer.variables) == 2
    distiller.save_weights(tmp_path / "saved.weights.h5")
    import h5py

    names = []
    with h5py.File(tmp_path / "saved.weights.h5") as file:
        file.visititems(
            lambda name, item: names.append(name) if hasattr(item, "shape") else None
        )
    models = [name for name in names if "optimizer" not in name]
    assert len(models) == len(student.variables)


@pytest.mark.backend
def test_uint8_images_are_normalised_in_the_graph():
    student, teacher = pair()
    distiller = compiled(Distiller(student=student, teacher=teacher))
    images, targets = tiny_pose.batch(4)
    normalised = keras.ops.convert_to_numpy(normalize_images(images))
    np.testing.assert_allclose(
        distiller.evaluate(images, targets, verbose=0),
        distiller.evaluate(normalised, targets, verbose=0),
        rtol=1e-5,
    )


@pytest.mark.backend
def test_predict_returns_what_the_student_predicts():
    student, teacher = pair()
    images, _ = tiny_pose.batch(5, dtype="float32")
    predicted = Distiller(student=student, teacher=teacher).predict(
        images, batch_size=2, verbose=0
    )
    for name, values in student.predict(images, verbose=0).items():
        np.testing.assert_allclose(predicted[name], values, rtol=1e-5, atol=1e-6)


@pytest.mark.backend
def test_sample_weight_scales_the_loss_of_each_sample():
    student, teacher = pair()
    distiller = compiled(Distiller(student=student, teacher=teacher))
    images, targets = tiny_pose.batch(2)
    first, second = (
        distiller.evaluate(
            images[i : i + 1],
            {k: v[i : i + 1] for k, v in targets.items()},
            verbose=0,
        )[0]
        for i in range(2)
    )
    weighted = distiller.evaluate(
        images, targets, sample_weight=np.array([3.0, 0.5]), verbose=0
    )[0]
    assert weighted == pytest.approx((3 * first + 0.5 * second) / 2, rel=1e-5)


@pytest.mark.skipif(
    keras.backend.backend() == "torch", reason="Keras refuses it on PyTorch"
)
def test_several_steps_per_execution_train_the_same():
    weights = []
    for steps in (1, 2):
        student, teacher = pair()
        distiller = compiled(
            Distiller(student=student, teacher=teacher), steps_per_execution=steps
        )
        distiller.fit(tiny_pose.Dataset(), epochs=2, verbose=0, shuffle=False)
        weights.append(student.get_weights())
    for one, two in zip(*weights, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("term", PAPER)
def test_a_term_with_weight_zero_is_gone_and_the_others_stay(term):
    student, teacher = pair()
    images, targets = tiny_pose.batch(4)
    full = compiled(Distiller(student=student, teacher=teacher)).evaluate(
        images, targets, return_dict=True, verbose=0
    )
    metrics = compiled(
        Distiller(student=student, teacher=teacher, loss_weights={term: 0})
    ).evaluate(images, targets, return_dict=True, verbose=0)
    removed = full.pop(term)
    full["loss"] -= removed
    assert metrics == pytest.approx(full, rel=1e-5)


@pytest.mark.parametrize(
    "arguments",
    [
        {"teacher": None},
        {
            "loss_weights": {
                "keypoint_token": 0,
                "visual_token": 0,
                "simulated_heatmap": 0,
                "score": 0,
            }
        },
    ],
    ids=["no teacher", "all its terms off"],
)
def test_without_a_term_that_needs_it_the_teacher_is_never_called(arguments):
    student, teacher = pair()
    teacher.call = None  # calling it would raise
    distiller = compiled(
        Distiller(student=student, **{"teacher": teacher, **arguments})
    )
    history = distiller.fit(tiny_pose.Dataset(samples=4), verbose=0).history
    assert set(history) == {"loss", "regression"}
    assert history["loss"] == history["regression"]


def test_penalties_of_the_student_are_part_of_the_loss():
    student, teacher = pair()
    student.get_layer("student_head").kernel.regularizer = keras.regularizers.L2(0.1)
    images, targets = tiny_pose.batch(4)
    metrics = compiled(Distiller(student=student, teacher=teacher)).evaluate(
        images, targets, return_dict=True, verbose=0
    )
    kernel = student.get_layer("student_head").kernel.numpy()
    terms = sum(metrics[term] for term in PAPER)
    assert metrics["loss"] == pytest.approx(terms + 0.1 * np.sum(kernel**2), rel=1e-5)


def test_a_teacher_of_half_precision_serves_a_float32_student():
    student, teacher = pair()
    images, targets = tiny_pose.batch(4)
    expected = compiled(Distiller(student=student, teacher=teacher)).evaluate(
        images, targets, verbose=0
    )
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        half = tiny_pose.fill(tiny_pose.teacher(), 2)
    finally:
        keras.config.set_dtype_policy("float32")
    distiller = compiled(Distiller(student=student, teacher=half))
    assert distiller.dtype_policy.name == "float32"
    actual = distiller.evaluate(images, targets, verbose=0)
    np.testing.assert_allclose(actual, expected, rtol=2e-2)
