"""A fake-quantized student is a student: same inputs, same outputs, same losses."""

import keras
import numpy as np
import pytest

from distilpose_keras.distillation.distiller import Distiller
from distilpose_keras.formats.runtimes import open_runtime
from distilpose_keras.models.model import build_model
from distilpose_keras.pixels import normalize_images
from distilpose_keras.quantization.student import quantize_aware


@pytest.fixture(scope="module")
def outputs(student, quantized, crops):
    images = normalize_images(crops)
    convert = keras.ops.convert_to_numpy
    return [
        {name: convert(value) for name, value in model(images).items()}
        for model in (student, quantized)
    ]


def test_it_predicts_what_the_student_does_up_to_rounding(outputs):
    expected, found = outputs
    assert found.keys() == expected.keys()
    for name, wanted in expected.items():
        if name.endswith("_tokens"):
            wanted = wanted - wanted.mean(axis=-1, keepdims=True)
        assert found[name].shape == wanted.shape
        error = np.abs(found[name] - wanted).mean()
        assert 0 < error < 0.15 * wanted.std() + 1 / 256, name


def test_it_runs_wherever_a_student_does(student, quantized, crops):
    expected, found = (open_runtime(m).run(crops) for m in (student, quantized))
    assert found.keys() == expected.keys()
    # Probabilities of int8 have steps of 1 / 256.
    np.testing.assert_array_equal(found["keypoints"] * 256 % 1, 0)


def test_the_student_is_left_as_it_was(student, crops):
    before = student.get_weights()
    quantize_aware(student, crops)
    for old, new in zip(before, student.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_teacher_supervises_it_with_all_terms(make_quantized, teacher, batches):
    quantized = make_quantized()
    before = quantized.get_weights()
    distiller = Distiller(student=quantized, teacher=teacher)
    distiller.compile(optimizer=keras.optimizers.Adam(1e-3), jit_compile=False)
    history = distiller.fit(batches, verbose=0).history
    terms = {"regression", "simulated_heatmap", "score"}
    assert history.keys() == {*terms, "keypoint_token", "visual_token", "loss"}
    assert np.isfinite(history["loss"][0])
    # A bias of keys adds the same to all logits of a query: softmax does not see it.
    trained = {
        w.path
        for w in quantized.trainable_variables
        if not w.path.endswith("to_k/bias")
    }
    for weight, old in zip(quantized.weights, before, strict=True):
        if weight.path in trained:
            assert np.abs(np.array(weight) - old).max() > 0, weight.path


def test_one_sigma_serves_both_axes(student, crops):
    config = student.pose_config.with_overrides(num_sigmas=1)
    sigmas = quantize_aware(build_model(config), crops)(normalize_images(crops))[
        "sigmas"
    ]
    np.testing.assert_array_equal(sigmas[..., 0], sigmas[..., 1])


def test_a_teacher_is_refused(teacher, crops):
    with pytest.raises(ValueError, match="regresses keypoints without decoding"):
        quantize_aware(teacher, crops)


def test_a_student_without_confidence_is_refused(crops):
    student = build_model("deeppose_resnet50", input_size=(32, 32))
    crops = np.zeros((16, 32, 32, 3), "uint8")
    with pytest.raises(ValueError, match="confidence. Received: deeppose_resnet50"):
        quantize_aware(student, crops)


def test_unfit_crops_are_refused(student, crops):
    with pytest.raises(ValueError, match="at least 16 crops. Received: 3"):
        quantize_aware(student, crops[:3])
