"""Training of a heatmap teacher on the same batches as a student."""

import keras

from distilpose_keras.losses import distilpose as losses
from distilpose_keras.training.trainer import PoseTrainer, output_shapes


@keras.saving.register_keras_serializable("distilpose_keras")
class HeatmapTrainer(PoseTrainer):
    """Trains a heatmap model on Gaussians drawn around the labels.

    The Gaussians are rendered inside the graph from the keypoints of the batch, so
    that a teacher and a student are trained on the same data set. The loss is the
    masked mean squared error of Xiao et al. (2018).

    Attributes:
        model: the model that is trained.
    """

    def __init__(self, model, *, sigma=2.0, **kwargs):
        """Wrap a heatmap model.

        Args:
            model: functional keras.Model with the output ``heatmaps`` (B, K, H, W).
            sigma: standard deviation of the target Gaussians in heatmap pixels.
            **kwargs: of keras.Model.

        Raises:
            ValueError: if the model predicts no heatmaps.
        """
        shapes = output_shapes(model)
        if "heatmaps" not in shapes:
            raise ValueError(
                f"{model.name!r} must predict 'heatmaps' to be trained on them. "
                f"Received outputs: {sorted(shapes)}"
            )
        super().__init__(model, ["heatmap"], **kwargs)
        self.sigma = sigma
        self.heatmap_size = shapes["heatmaps"][1:]

    @property
    def model(self):
        """The model that is trained."""
        return self.trained_model

    def loss_terms(self, images, targets, outputs, sample_weight=None):
        """Return the mean squared error to the Gaussian targets."""
        del images
        heatmaps, weights = losses.gaussian_heatmaps(
            targets["keypoints"], targets["weights"], self.heatmap_size, self.sigma
        )
        loss = losses.heatmap_loss(
            outputs["heatmaps"], heatmaps, weights, sample_weight=sample_weight
        )
        return {"heatmap": loss}

    def get_config(self):
        """Return what rebuilds the trainer around its model."""
        return {
            "name": self.name,
            "model": keras.saving.serialize_keras_object(self.model),
            "sigma": self.sigma,
        }

    @classmethod
    def from_config(cls, config):
        """Rebuild the trainer."""
        config = dict(config)
        model = keras.saving.deserialize_keras_object(config.pop("model"))
        return cls(model, **config)
