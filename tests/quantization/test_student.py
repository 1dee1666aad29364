"""A fake-quantized student is a student: same inputs, same outputs, same losses."""

import subprocess
import sys

import keras
import numpy as np
import pytest

from distilpose_keras.distillation.distiller import Distiller
from distilpose_keras.formats.runtimes import open_runtime
from distilpose_keras.models.deploy import deploy
from distilpose_keras.models.model import build_model, load_model
from distilpose_keras.pixels import normalize_images
from distilpose_keras.predictor import PosePredictor
from distilpose_keras.quantization.files import export_quantized
from distilpose_keras.quantization.student import QuantizedStudent, quantize_aware


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


@pytest.fixture(scope="module")
def trained(student, teacher, crops):
    """Trained, so that no range and no weight is where it started; then frozen."""
    quantized = quantize_aware(student, crops)
    quantized.metadata.update({"training_data": "noise", "ap": 0.25})
    fit(Distiller(student=quantized, teacher=teacher), crops)
    quantized.freeze_ranges()
    return quantized


@pytest.fixture(scope="module")
def saved(trained, tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "quantized.keras"
    trained.save(path)
    return path


def fit(distiller, crops):
    """One step; returns its loss."""
    distiller.compile(optimizer=keras.optimizers.Adam(1e-3), jit_compile=False)
    rng = np.random.default_rng(0)
    targets = {
        "keypoints": rng.uniform(0.2, 0.8, (len(crops), 17, 2)).astype("float32"),
        "weights": np.ones((len(crops), 17, 1), "float32"),
    }
    return distiller.train_on_batch(crops, targets)


def roundings(quantized):
    return [
        layer
        for layer in quantized.deployed.layers
        if type(layer).__name__ == "FakeQuantize"
    ]


def ranges(quantized):
    """(N, 2) lows and highs of those of 8 bits that follow the batches."""
    return np.array(
        [
            layer.get_weights()
            for layer in roundings(quantized)
            if layer.num_bits == 8 and layer.fixed_range is None
        ]
    )


def assert_same(found, expected, crops):
    """Compare two quantized students: what they hold and what they predict."""
    assert type(found) is QuantizedStudent
    assert found.pose_config == expected.pose_config
    assert found.metadata == expected.metadata
    assert [x.frozen for x in roundings(found)] == [
        x.frozen for x in roundings(expected)
    ]
    for new, old in zip(found.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(new, old)
    images = normalize_images(crops)
    predicted = found(images)
    for name, wanted in expected(images).items():
        np.testing.assert_array_equal(predicted[name], wanted, err_msg=name)


@pytest.mark.filterwarnings("error::UserWarning")  # Keras warns of what is missing
@pytest.mark.parametrize("load", [keras.saving.load_model, load_model])
def test_a_file_holds_weights_ranges_and_what_is_known(load, saved, trained, crops):
    assert_same(load(saved), trained, crops)


FRESH = """
import sys
import distilpose_keras
import keras
import numpy as np

expected = np.load(sys.argv[2])
model = keras.saving.load_model(sys.argv[1])
predictor = distilpose_keras.PosePredictor(model)
for name, value in model(expected["images"]).items():
    np.testing.assert_allclose(value, expected[name], rtol=1e-6, atol=1e-6)
found = predictor.predict_crops(expected["crops"])[0]
np.testing.assert_array_equal(found, expected["found"])
assert predictor.metadata["ap"] == 0.25
"""


def test_a_file_is_read_in_a_fresh_process(saved, trained, crops, tmp_path, root):
    images = normalize_images(crops)
    arrays = {name: np.array(value) for name, value in trained(images).items()}
    found, _ = PosePredictor(trained).predict_crops(crops)
    np.savez(
        tmp_path / "expected.npz", images=images, crops=crops, found=found, **arrays
    )
    command = [sys.executable, "-c", FRESH, saved, tmp_path / "expected.npz"]
    subprocess.run(command, check=True, cwd=root)


def test_what_is_loaded_trains_on(make_quantized, teacher, crops, tmp_path):
    quantized = make_quantized()
    quantized.save(tmp_path / "x.keras")
    loaded = load_model(tmp_path / "x.keras")
    losses = [
        fit(Distiller(student=student, teacher=teacher), crops)
        for student in (quantized, loaded)
    ]
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-6)
    start = ranges(make_quantized())
    assert np.abs(ranges(loaded) - start).max() > 0
    np.testing.assert_allclose(ranges(loaded), ranges(quantized), rtol=1e-6)


def test_frozen_ranges_stay_after_loading(saved, trained, teacher, crops):
    loaded = load_model(saved)
    before = loaded.get_weights()
    fit(Distiller(student=loaded, teacher=teacher), crops)
    np.testing.assert_array_equal(ranges(loaded), ranges(trained))
    assert any(
        (new != old).any()
        for new, old in zip(loaded.get_weights(), before, strict=True)
    )


def test_one_range_may_be_frozen_alone(make_quantized, tmp_path):
    quantized = make_quantized()
    moving = next(x for x in roundings(quantized) if not x.frozen)
    moving.frozen = True
    quantized.save(tmp_path / "x.keras")
    found = [x.frozen for x in roundings(load_model(tmp_path / "x.keras"))]
    assert found == [x.frozen for x in roundings(quantized)]
    assert not all(found)


def test_a_loaded_student_gives_the_same_files(saved, trained, crops, tmp_path):
    files = [tmp_path / name for name in ("before.tflite", "after.tflite")]
    for model, path in zip((trained, load_model(saved)), files, strict=True):
        export_quantized(model, path, crops)
    before, after = (open_runtime(path).run(crops) for path in files)
    for name, wanted in before.items():
        np.testing.assert_array_equal(after[name], wanted)


def test_a_clone_has_the_same_graph(trained, crops):
    clone = keras.models.clone_model(trained)
    clone.set_weights(trained.get_weights())
    assert_same(clone, trained, crops)
    assert clone.weights[0] is not trained.weights[0]


def test_its_deployed_graph_is_saved_and_cloned(trained, crops, tmp_path):
    trained.deployed.save(tmp_path / "deployed.keras")
    clone = keras.models.clone_model(trained.deployed)
    clone.set_weights(trained.deployed.get_weights())
    images = crops.astype("float32")
    for found in (keras.saving.load_model(tmp_path / "deployed.keras"), clone):
        assert [layer.frozen for layer in found.layers if hasattr(layer, "frozen")] == [
            x.frozen for x in roundings(trained)
        ]
        for name, wanted in trained.deployed(images).items():
            np.testing.assert_array_equal(found(images)[name], wanted, err_msg=name)


def test_a_distiller_around_it_is_saved_and_cloned(
    make_quantized, teacher, crops, tmp_path
):
    distiller = Distiller(student=make_quantized(), teacher=teacher)
    fit(distiller, crops)
    distiller.save(tmp_path / "distiller.keras")
    loaded = keras.saving.load_model(tmp_path / "distiller.keras")
    assert_same(loaded.model, distiller.model, crops)
    steps = [int(x.optimizer.iterations) for x in (distiller, loaded)]
    assert steps == [1, 1]
    clone = keras.models.clone_model(distiller)
    assert type(clone.model) is QuantizedStudent


def test_it_is_not_quantized_twice(quantized, crops):
    for again in (deploy, lambda model: quantize_aware(model, crops)):
        with pytest.raises(ValueError, match="small_quantized is fake-quantized"):
            again(quantized)
