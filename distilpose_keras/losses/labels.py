"""What a model learns from labels alone: one small object for each way.

A trainer calls it with the outputs of the model. One whose loss has weights of its own,
such as a normalising flow, is a `keras.layers.Layer` too: they are trained with the
model and are no part of it.

One that changes from epoch to epoch has a method `on_epoch_begin(epoch)`, which `fit`
calls with the number of finished epochs.
"""

from typing import Any, Protocol

import keras

from distilpose_keras.codecs.heatmaps import HeatmapCodec
from distilpose_keras.losses.distilpose import regression_loss
from distilpose_keras.losses.heatmaps import heatmap_loss
from distilpose_keras.types import Tensor


class LabelLoss(Protocol):
    """A loss between a model's outputs and labels.

    Attributes:
        terms: names of what it is the sum of; each becomes a metric.
    """

    terms: tuple[str, ...]

    def __call__(
        self, outputs: dict[str, Any], targets: dict[str, Any], sample_weight: Any
    ) -> dict[str, Any]:
        """Return the terms of one batch.

        Args:
            outputs: of the model.
            targets: `keypoints` (B, K, 2) in [0, 1] of the crop and `weights`
                (B, K, 1).
            sample_weight: (B,) or None.

        Returns:
            dict of name to float32 scalar.
        """
        ...


@keras.saving.register_keras_serializable("distilpose_keras")
class CoordinateLoss:
    """Smooth L1 between predicted and true keypoints (DistilPose's regression loss)."""

    terms = ("regression",)

    def __call__(
        self,
        outputs: dict[str, Tensor],
        targets: dict[str, Tensor],
        sample_weight: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Return the term `regression`."""
        loss = regression_loss(
            outputs["keypoints"],
            targets["keypoints"],
            targets["weights"],
            sample_weight=sample_weight,
        )
        return {"regression": loss}

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments: none."""
        return {}


@keras.saving.register_keras_serializable("distilpose_keras")
class HeatmapLoss:
    """Masked squared error to Gaussians around the labels (Xiao et al., 2018).

    The Gaussians are drawn inside the graph, so that a heatmap teacher and a student
    that regresses are trained on the same batches.
    """

    terms = ("heatmap",)

    def __init__(self, codec: HeatmapCodec) -> None:
        """Say how labels are drawn."""
        self.codec = codec

    def __call__(
        self,
        outputs: dict[str, Tensor],
        targets: dict[str, Tensor],
        sample_weight: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Return the term `heatmap`."""
        heatmaps, weights = self.codec.graph_encode(
            targets["keypoints"], targets["weights"]
        )
        loss = heatmap_loss(
            outputs["heatmaps"], heatmaps, weights, sample_weight=sample_weight
        )
        return {"heatmap": loss}

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"codec": keras.saving.serialize_keras_object(self.codec)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "HeatmapLoss":
        """Make the loss that `get_config` describes."""
        return cls(keras.saving.deserialize_keras_object(config["codec"]))


def default_loss(outputs: dict[str, Any]) -> LabelLoss:
    """Return the loss that fits the outputs of a model of one's own.

    Args:
        outputs: symbolic outputs by name.

    Raises:
        ValueError: if there are neither `keypoints` nor `heatmaps`.
    """
    if "heatmaps" in outputs:
        return HeatmapLoss(HeatmapCodec(tuple(outputs["heatmaps"].shape[-2:])))
    if "keypoints" in outputs:
        return CoordinateLoss()
    raise ValueError(
        "a model must predict 'keypoints' or 'heatmaps' to be trained on labels. "
        f"Received outputs: {sorted(outputs)}"
    )
