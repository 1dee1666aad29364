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


@pytest.mark.slow
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
    """After a step: no moving range and no weight is where it started. One is frozen"""
    quantized = quantize_aware(student, crops)
    quantized.metadata.update({"training_data": "noise", "ap": 0.25})
    train(Distiller(student=quantized, teacher=teacher), crops)
    moving(quantized)[0].frozen = True
    return quantized


@pytest.fixture(scope="module")
def saved(trained, tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "quantized.keras"
    trained.save(path)
    return path


def train(distiller, crops):
    """Train one step, and return its loss."""
    distiller.compile(optimizer=keras.optimizers.Adam(1e-3), run_eagerly=True)
    rng = np.random.default_rng(0)
    targets = {
        "keypoints": rng.uniform(0.2, 0.8, (len(crops), 17, 2)).astype("float32"),
        "weights": np.ones((len(crops), 17, 1), "float32"),
    }
    return distiller.train_on_batch(crops, targets, return_dict=True)["loss"]


def roundings(graph):
    return [x for x in graph.layers if type(x).__name__ == "FakeQuantize"]


def moving(quantized):
    """The layers whose ranges follow the batches, unless they are frozen."""
    return [
        layer
        for layer in roundings(quantized.deployed)
        if layer.num_bits == 8 and layer.fixed_range is None
    ]


def ranges(quantized):
    """(N, 2) of `moving`."""
    return np.array([layer.get_weights() for layer in moving(quantized)])


def assert_same(found, expected, crops):
    """Compare two quantized students: what they hold and what they predict."""
    assert type(found) is QuantizedStudent
    assert found.pose_config == expected.pose_config
    assert found.metadata == expected.metadata
    frozen, wanted = (
        [x.frozen for x in roundings(model.deployed)] for model in (found, expected)
    )
    assert frozen == wanted
    for new, old in zip(found.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(new, old)
    images = normalize_images(crops)
    predicted = found(images)
    for name, value in expected(images).items():
        np.testing.assert_array_equal(predicted[name], value, err_msg=name)


@pytest.mark.filterwarnings("error::UserWarning")  # Keras warns of what is missing
@pytest.mark.parametrize("load", [keras.saving.load_model, load_model])
def test_a_file_holds_weights_ranges_and_what_is_known(load, saved, trained, crops):
    loaded = load(saved)
    assert_same(loaded, trained, crops)
    assert [layer.frozen for layer in moving(loaded)].count(True) == 1


FRESH = """
import sys
import distilpose_keras
import keras
import numpy as np

expected = np.load(sys.argv[2])
model = keras.saving.load_model(sys.argv[1])
for name, value in model(expected["images"]).items():
    np.testing.assert_allclose(value, expected[name], rtol=1e-5, atol=1e-5)
predictor = distilpose_keras.PosePredictor(model)
found, _ = predictor.predict_crops(expected["crops"])
# Probabilities of int8 have steps of 1 / 256.
np.testing.assert_allclose(found, expected["keypoints"], atol=1.01 / 256)
assert predictor.metadata["ap"] == 0.25
"""


def test_a_file_is_read_in_a_fresh_process(saved, trained, crops, tmp_path, root):
    images = normalize_images(crops)
    arrays = {name: np.array(value) for name, value in trained(images).items()}
    np.savez(tmp_path / "expected.npz", images=images, crops=crops, **arrays)
    command = [sys.executable, "-c", FRESH, saved, tmp_path / "expected.npz"]
    subprocess.run(command, check=True, cwd=root)


@pytest.mark.slow
def test_what_is_loaded_trains_on(saved, trained, teacher, crops):
    loaded = load_model(saved)
    twin = QuantizedStudent.from_config(trained.get_config())
    twin.set_weights(trained.get_weights())
    assert_same(twin, trained, crops)
    before = ranges(loaded)
    losses = [
        train(Distiller(student=model, teacher=teacher), crops)
        for model in (twin, loaded)
    ]
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    after = ranges(loaded)
    np.testing.assert_allclose(after, ranges(twin), rtol=1e-4, atol=1e-6)
    moved = (after != before).any(axis=1)
    assert not moved[0]  # the frozen one
    assert moved[1:].mean() > 0.9
    loaded.freeze_ranges()
    train(Distiller(student=loaded, teacher=teacher), crops)
    np.testing.assert_array_equal(ranges(loaded), after)


def test_a_clone_is_the_same_function(trained, crops):
    clone = keras.models.clone_model(trained)  # of Keras' own class, as any subclass's
    clone.set_weights(trained.get_weights())
    images = normalize_images(crops)
    found = clone(images)
    for name, value in trained(images).items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)


def test_its_deployed_graph_is_saved_and_cloned(trained, crops, tmp_path):
    deployed = trained.deployed
    deployed.save(tmp_path / "deployed.keras")
    clone = keras.models.clone_model(deployed)
    clone.set_weights(deployed.get_weights())
    frozen = [layer.frozen for layer in roundings(deployed)]
    images = crops.astype("float32")
    expected = deployed(images)
    for found in (keras.saving.load_model(tmp_path / "deployed.keras"), clone):
        assert [layer.frozen for layer in roundings(found)] == frozen
        for name, value in found(images).items():
            np.testing.assert_array_equal(value, expected[name], err_msg=name)


def test_a_distiller_around_it_is_saved_and_cloned(
    make_quantized, teacher, crops, tmp_path
):
    distiller = Distiller(student=make_quantized(), teacher=teacher)
    train(distiller, crops)
    distiller.save(tmp_path / "distiller.keras")
    loaded = keras.saving.load_model(tmp_path / "distiller.keras")
    assert_same(loaded.model, distiller.model, crops)
    assert [int(x.optimizer.iterations) for x in (distiller, loaded)] == [1, 1]
    clone = keras.models.clone_model(distiller)
    assert type(clone.model) is QuantizedStudent


def test_a_file_of_one_is_refused_on_another_backend(saved, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ValueError, match="quantized.keras needs KERAS_BACKEND=tensorf"):
        load_model(saved)


def test_it_is_not_quantized_twice(quantized, crops):
    for again in (deploy, lambda model: quantize_aware(model, crops)):
        with pytest.raises(ValueError, match="small_quantized is fake-quantized"):
            again(quantized)
