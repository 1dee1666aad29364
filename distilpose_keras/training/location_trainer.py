"""Training of a student that has location maps, on labels and on a teacher's maps."""

import keras

from distilpose_keras.losses import location as losses
from distilpose_keras.training.trainer import PoseTrainer, output_shapes

REGRESSION_WEIGHT = 10.0  # of an error in [0, 1] of the crop; 0.3 of a heatmap pixel's
SCORE_WEIGHT = 1.0


@keras.saving.register_keras_serializable("distilpose_keras")
class LocationTrainer(PoseTrainer):
    """Trains a student with an integral head on its maps and its coordinates.

    The terms are ``location``, the cross-entropy of the maps to a Gaussian around the
    label, ``regression``, the distance of the coordinates, and ``score``, the error of
    the scores as forecasts of how near the label is (`losses.nearness`).

    Attributes:
        student: the model that is trained.
    """

    def __init__(self, student, *, sigma=1.0, **kwargs):
        """Wrap a student.

        Args:
            student: functional keras.Model with the outputs ``keypoints``, ``scores``
                and ``location_logits``; its `pose_config` names the keypoints.
            sigma: standard deviation of the target Gaussians in heatmap pixels.
            **kwargs: of keras.Model.

        Raises:
            ValueError: if the model has no location maps.
        """
        shapes = output_shapes(student)
        if "location_logits" not in shapes:
            raise ValueError(
                f"{student.name!r} must predict 'location_logits' to be trained on "
                f"them. Received outputs: {sorted(shapes)}"
            )
        super().__init__(student, ["location", "regression", "score"], **kwargs)
        self.sigma = sigma
        config = student.pose_config
        self._spreads = losses.joint_spreads(config.schema.sigmas, config.input_size)

    @property
    def student(self):
        """The model that is trained."""
        return self.trained_model

    def loss_terms(self, images, targets, outputs, sample_weight=None):
        """Return the three terms, each multiplied by its weight."""
        del images
        points, weights = targets["keypoints"], targets["weights"]
        of_batch = {"weights": weights, "sample_weight": sample_weight}
        return {
            "location": losses.location_loss(
                outputs["location_logits"], points, sigma=self.sigma, **of_batch
            ),
            "regression": REGRESSION_WEIGHT
            * losses.distance_loss(outputs["keypoints"], points, **of_batch),
            "score": SCORE_WEIGHT
            * losses.nearness_loss(
                outputs["scores"],
                losses.nearness(outputs["keypoints"], points, self._spreads),
                **of_batch,
            ),
        }

    def get_config(self):
        """Return what rebuilds the trainer around its student."""
        return {
            "name": self.name,
            "student": keras.saving.serialize_keras_object(self.student),
            "sigma": self.sigma,
        }

    @classmethod
    def from_config(cls, config):
        """Rebuild the trainer."""
        config = dict(config)
        student = keras.saving.deserialize_keras_object(config.pop("student"))
        return cls(student, **config)
