"""What all trainers share, in one that has nothing to learn."""

import keras
import numpy as np
import pytest

from distilpose_keras.training.trainer import PoseTrainer


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
        super().__init__(model, ["level", "square"])

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
    kernel = trainer.trained_model.trainable_variables[0]  # 12 ones
    figures = trainer.evaluate(Batches(), return_dict=True, verbose=0)
    assert figures["loss"] == pytest.approx(16 + 0.25 * 12)
    images, targets = Batches()[0]
    trainer.train_on_batch(images, targets)
    # The slope of 0.25 w^2 at 1 is 0.5.
    np.testing.assert_allclose(keras.ops.convert_to_numpy(kernel), 0.95, rtol=1e-6)


def test_terms_are_for_the_subclass_to_say():
    with pytest.raises(NotImplementedError):
        PoseTrainer(model(), []).loss_terms(None, None, None)
