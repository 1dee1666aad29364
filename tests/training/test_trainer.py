"""What all trainers share, in one that has nothing to learn; and heatmaps."""

import keras
import numpy as np
import pytest
import tiny_pose

from distilpose_keras.codecs.heatmaps import HeatmapCodec
from distilpose_keras.losses.labels import HeatmapLoss
from distilpose_keras.models.model import build_model
from distilpose_keras.pixels import normalize_images
from distilpose_keras.training.trainer import PoseTrainer

GAUSSIANS = HeatmapLoss(HeatmapCodec(tiny_pose.HEATMAP_SIZE, sigma=1.5))


class Batches(keras.utils.PyDataset):
    """Three samples of 1, then one sample of 5 that is there twice."""

    def __len__(self):
        return 2

    def __getitem__(self, index):
        count, value, repeats = ((3, 1, 1), (2, 5, 2))[index]
        targets = {
            "level": np.full((count, 1), value, "float32"),
            "repeats": np.full((count, 1), repeats, "float32"),
        }
        return np.zeros((count, 2, 2, 3), "float32"), targets


class Level(PoseTrainer):
    """Two terms that depend on the targets alone, and no more on the model."""

    def __init__(self, model):
        super().__init__(model, self.ignored, term_names=["level", "square"])

    @staticmethod
    def ignored(outputs, targets, sample_weight):
        """Stands in for a loss on labels: this trainer has another."""

    def loss_terms(self, images, targets, outputs, sample_weight=None):
        level = keras.ops.mean(targets["level"])
        nothing = 0 * keras.ops.mean(outputs)
        return {"level": level + nothing, "square": 2 * level**2}


def model(**dense):
    dense = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones", **dense)
    return keras.Sequential([keras.Input((2, 2, 3)), keras.layers.Flatten(), dense])


@pytest.mark.backend
def test_metrics_are_means_over_different_samples():
    trainer = Level(model())
    trainer.compile(optimizer="sgd")
    figures = trainer.evaluate(Batches(), return_dict=True, verbose=0)
    # Three samples with 1 and one with 5.
    assert figures == pytest.approx({"level": 2, "square": 14, "loss": 16})
    history = trainer.fit(Batches(), shuffle=False, verbose=0).history
    assert history["loss"] == pytest.approx([16])


@pytest.mark.backend
def test_penalties_are_in_the_loss_and_are_trained():
    trainer = Level(model(kernel_regularizer=keras.regularizers.L2(0.25)))
    trainer.compile(optimizer=keras.optimizers.SGD(0.1))
    kernel = trainer.model.trainable_variables[0]  # 12 ones
    figures = trainer.evaluate(Batches(), return_dict=True, verbose=0)
    assert figures["loss"] == pytest.approx(16 + 0.25 * 12)
    images, targets = Batches()[0]
    trainer.train_on_batch(images, targets)
    # The slope of 0.25 w^2 at 1 is 0.5.
    np.testing.assert_allclose(keras.ops.convert_to_numpy(kernel), 0.95, rtol=1e-6)


@pytest.mark.backend
def test_the_loss_is_the_masked_error_to_gaussians_around_the_labels():
    model = tiny_pose.fill(tiny_pose.teacher(), 2)
    trainer = PoseTrainer(model, GAUSSIANS)
    trainer.compile(optimizer="sgd")
    images, targets = tiny_pose.batch(4)
    metrics = trainer.evaluate(images, targets, return_dict=True, verbose=0)
    maps, weights = GAUSSIANS.codec.encode(targets["keypoints"], targets["weights"])
    predicted = model(normalize_images(images), training=False)["heatmaps"]
    predicted = keras.ops.convert_to_numpy(predicted)
    expected = np.mean(weights[..., None] * (predicted - maps) ** 2)
    assert metrics == pytest.approx({"loss": expected, "heatmap": expected}, rel=1e-5)


@pytest.mark.backend
def test_fit_learns_the_heatmaps_of_one_batch():
    trainer = PoseTrainer(tiny_pose.fill(tiny_pose.teacher(), 2))
    trainer.compile(optimizer=keras.optimizers.Adam(0.03))
    images, targets = tiny_pose.batch(4)
    history = trainer.fit(images, targets, epochs=15, verbose=0).history["loss"]
    assert history[-1] < 0.5 * history[0]


def test_a_model_of_neither_heatmaps_nor_keypoints_is_refused():
    images = keras.Input((8, 8, 3))
    other = keras.Model(images, {"depth": keras.layers.Conv2D(1, 1)(images)})
    with pytest.raises(ValueError, match="must predict 'keypoints' or 'heatmaps'"):
        PoseTrainer(other)


def test_a_family_says_what_its_models_learn():
    model = build_model(
        "demo_teacher", backbone={"blocks": 1}, transformer={"layers": 1}
    )
    trainer = PoseTrainer(model)
    assert trainer.label_loss.codec == model.pose_config.codec
    assert trainer.label_loss.codec.sigma == 1.5


def test_a_saved_trainer_comes_back(tmp_path):
    trainer = PoseTrainer(tiny_pose.teacher(), GAUSSIANS)
    trainer.compile(optimizer="sgd")
    trainer.save(tmp_path / "trainer.keras")
    loaded = keras.saving.load_model(tmp_path / "trainer.keras")
    assert loaded.label_loss.codec == GAUSSIANS.codec
    for saved, read in zip(trainer.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(saved, read)
