"""Training of a heatmap model on keypoints."""

import keras
import numpy as np
import pytest
import tiny_pose

from distilpose_keras.losses import distilpose as losses
from distilpose_keras.pixels import normalize_images
from distilpose_keras.training.heatmap_trainer import HeatmapTrainer


@pytest.mark.backend
def test_the_loss_is_the_masked_error_to_gaussians_around_the_labels():
    model = tiny_pose.fill(tiny_pose.teacher(), 2)
    trainer = HeatmapTrainer(model, sigma=1.5)
    trainer.compile(optimizer="sgd")
    images, targets = tiny_pose.batch(4)
    metrics = trainer.evaluate(images, targets, return_dict=True, verbose=0)
    maps, weights = losses.gaussian_heatmaps(
        targets["keypoints"], targets["weights"], tiny_pose.HEATMAP_SIZE, 1.5
    )
    predicted = model(normalize_images(images), training=False)["heatmaps"]
    maps, weights, predicted = (
        keras.ops.convert_to_numpy(t) for t in (maps, weights, predicted)
    )
    expected = np.mean(weights[..., None] * (predicted - maps) ** 2)
    assert metrics == pytest.approx({"loss": expected, "heatmap": expected}, rel=1e-5)


@pytest.mark.backend
def test_fit_learns_the_heatmaps_of_one_batch():
    trainer = HeatmapTrainer(tiny_pose.fill(tiny_pose.teacher(), 2))
    trainer.compile(optimizer=keras.optimizers.Adam(0.03))
    images, targets = tiny_pose.batch(4)
    history = trainer.fit(images, targets, epochs=15, verbose=0).history["loss"]
    assert history[-1] < 0.5 * history[0]


def test_a_model_without_heatmaps_is_refused():
    with pytest.raises(ValueError, match="must predict 'heatmaps'"):
        HeatmapTrainer(tiny_pose.student())


def test_a_saved_trainer_comes_back(tmp_path):
    trainer = HeatmapTrainer(tiny_pose.teacher(), sigma=1.5)
    trainer.compile(optimizer="sgd")
    trainer.save(tmp_path / "trainer.keras")
    loaded = keras.saving.load_model(tmp_path / "trainer.keras")
    assert loaded.sigma == 1.5
    for saved, read in zip(trainer.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(saved, read)
