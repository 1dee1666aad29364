"""Fine-tuning under a teacher."""

import keras
import numpy as np
import pytest

from distilpose_keras.distillation.distiller import Distiller
from distilpose_keras.export.reproduce import smooth_noise
from distilpose_keras.formats.runtimes import open_runtime
from distilpose_keras.models.model import build_model
from distilpose_keras.quantization import finetune as finetune_module
from distilpose_keras.quantization.files import export_quantized
from distilpose_keras.quantization.finetune import finetune
from distilpose_keras.quantization.student import quantize_aware


def ranges(student):
    return np.array(
        [w for layer in roundings(student) for w in layer.get_weights()], "float32"
    )


def roundings(student):
    return [
        layer
        for layer in student.deployed.layers
        if type(layer).__name__ == "FakeQuantize"
    ]


@pytest.mark.slow
def test_the_loss_falls_and_ranges_move_first_and_are_frozen_last(
    make_quantized, teacher, batches, monkeypatch
):
    quantized, seen = make_quantized(), []
    fit = Distiller.fit

    def watched(self, *args, **kwargs):
        seen.append(ranges(quantized))
        result = fit(self, *args, **kwargs)
        seen.append(ranges(quantized))
        return result

    monkeypatch.setattr(finetune_module.Distiller, "fit", watched)
    history = finetune(
        quantized, teacher, batches, epochs=6, learning_rate=3e-3, verbose=0
    )
    assert len(history["loss"]) == 6
    assert history["loss"][-1] < history["loss"][0]
    begin, moved, still_there, end = seen
    assert np.abs(moved - begin).max() > 0
    np.testing.assert_array_equal(moved, still_there)
    np.testing.assert_array_equal(moved, end)


@pytest.mark.slow
def test_a_loss_that_is_not_finite_stops_it(make_quantized, teacher, batches):
    with pytest.raises(ValueError, match="not finite"):
        finetune(
            make_quantized(), teacher, batches, epochs=2, learning_rate=1e30, verbose=0
        )


def test_a_pair_that_does_not_fit_is_told_at_once(student, teacher):
    finetune_module.check_pair(student, teacher)
    with pytest.raises(ValueError, match="must predict 'heatmaps'"):
        finetune_module.check_pair(student, student)


@pytest.mark.slow
def test_the_cnn_pair_goes_the_same_way(make_batches, tmp_path):
    """DeepPose under SimpleBaselines: pooled features, no tokens."""
    keras.utils.set_random_seed(0)
    crops = smooth_noise(32, (32, 32))
    student = build_model("deeppose_resnet50_distilled", input_size=(32, 32))
    kernel = student.get_layer("keypoint_head-fc").kernel
    kernel.assign(0.1 * kernel)  # untrained, it leaves the crop far behind
    teacher = build_model("simple_baseline_resnet50", input_size=(32, 32))
    quantized = quantize_aware(student, crops)
    history = finetune(quantized, teacher, make_batches(crops), epochs=1, verbose=0)
    assert history.keys() == {"loss", "regression", "simulated_heatmap", "score"}
    path = tmp_path / "student.tflite"
    export_quantized(quantized, path, crops)
    simulated, found = (open_runtime(m).run(crops[:8]) for m in (quantized, path))
    for name in ("keypoints", "scores"):
        spread = np.abs(simulated[name]).max()
        assert np.abs(found[name] - simulated[name]).mean() < 0.05 * spread
