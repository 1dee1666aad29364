"""Integral regression (Sun et al., ECCV 2018): coordinates read off location maps.

The expectation of a position under a softmax over maps of where a joint may be: as
quick to learn as a heatmap, and a regression for all that comes after, with the
keypoints, sigmas and scores that distillation wants. A score is the expectation of a
second map under the same softmax: what that map says about the place where the joint
is.

    image (B, H, W, 3) -> features (B, H / 4, W / 4, C) -> location_logits and a map of
    confidence, (B, K, H / 4, W / 4) each -> keypoints (B, K, 2), scores (B, K, 1),
    sigmas (B, K, 2) in pixels of the map
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import layers, ops

from distilpose_keras.codecs.coordinates import CoordinateCodec
from distilpose_keras.codecs.gaussians import SIGMA
from distilpose_keras.losses.location import LocationLoss
from distilpose_keras.models.backbones.lite import Lite
from distilpose_keras.models.backbones.movenet import MoveNetFPN
from distilpose_keras.models.config import PoseConfig
from distilpose_keras.models.figures import Figures
from distilpose_keras.models.layers import OUTPUT_DTYPE
from distilpose_keras.types import Tensor


@dataclass(frozen=True)
class IntegralPose(PoseConfig):
    """Settings of an integral regression.

    Attributes:
        backbone: what makes the feature map.
        sigma: of the Gaussians that the maps are trained on, in pixels of the map.
        offset: where pixel 0 of the map lies, in pixels of the map. A pixel stands for
            4x4 pixels of the crop, whose centre is at 1.5, which is 0.375 of the map's.
    """

    backbone: MoveNetFPN | Lite = MoveNetFPN()
    sigma: float = 1.0
    offset: float = 0.0

    codec = CoordinateCodec()
    distillable = True
    scores_from_labels = True

    def __post_init__(self):
        """Check that the input fits."""
        self._check_input_size(self.backbone.divisor, self.backbone.divisor)

    def build(self, images):
        """Return keypoints, scores and sigmas; the logits are for training."""
        features = self.backbone(images)
        height, width = features.shape[1:3]
        grid = location_grid(height, width, self.offset)

        def maps(name):
            name = f"keypoint_head-{name}"
            x = layers.Conv2D(self.num_keypoints, 1, name=name, dtype=OUTPUT_DTYPE)
            x = ops.transpose(x(features), (0, 3, 1, 2))
            return ops.reshape(x, (-1, self.num_keypoints, height * width))

        logits = maps("location")
        chance = ops.softmax(logits)  # (B, K, H W)
        keypoints = ops.matmul(chance, grid)
        squares = ops.matmul(chance, np.square(grid))
        variance = ops.maximum(squares - ops.square(keypoints), 1e-6)
        scores = ops.sum(chance * maps("confidence"), axis=-1, keepdims=True)
        shape = (-1, self.num_keypoints, height, width)
        return {
            "keypoints": keypoints,
            "scores": scores,
            "sigmas": ops.sqrt(variance) * np.array([width, height], "float32"),
            "location_logits": ops.reshape(logits, shape),
        }

    def shown(self, outputs: dict[str, Any]) -> dict[str, Any]:
        """Add heatmaps, so that it can teach too; a deployed graph has none."""
        if "location_logits" not in outputs:
            return outputs
        maps = location_heatmaps(outputs["location_logits"], self.offset)
        return {**outputs, "heatmaps": maps}

    def label_loss(self, model: Any):
        """Cross-entropy of the maps, distance of the keypoints, error of the scores."""
        sigmas = self.schema.sigmas
        return LocationLoss(self.sigma, self.input_size, sigmas, self.offset)


def location_grid(height, width, offset=0.0):
    """(H W, 2) normalised x and y of the pixels of a map, row by row."""
    x = (np.arange(width) + offset) / width
    y = (np.arange(height) + offset) / height
    x, y = np.meshgrid(x, y)
    return np.stack([x.ravel(), y.ravel()], axis=1).astype("float32")


def location_heatmaps(logits: Tensor, offset: float = 0.0, sigma: float = SIGMA):
    """Return what a heatmap model would predict that believes the same.

    The mean of the Gaussians that a heatmap model is taught, over where a joint may be:
    at most 1, and lower the less sure the maps are.

    Args:
        logits: (B, K, H, W) location maps.
        offset: where pixel 0 of the location maps lies; that of heatmaps lies at 0.
        sigma: standard deviation of the Gaussians, in pixels of the map.

    Returns:
        (B, K, H, W) float32.
    """
    height, width = logits.shape[2:]
    flat = ops.reshape(
        ops.cast(logits, "float32"), (-1, *logits.shape[1:2], height * width)
    )
    chance = ops.reshape(ops.softmax(flat), (-1, *logits.shape[1:]))
    rows = _gaussians(height, offset, sigma)  # (H, H) from place to pixel
    columns = _gaussians(width, offset, sigma)
    maps = ops.matmul(chance, columns)  # (B, K, H, W)
    return ops.einsum("bkhw,hr->bkrw", maps, rows)


def _gaussians(length, offset, sigma):
    """(places, pixels) values of Gaussians around places along an axis."""
    away = np.arange(length) - (np.arange(length) + offset)[:, None]
    return np.exp(-0.5 * np.square(away / sigma)).astype("float32")


MODELS = {
    IntegralPose("distilpose_nano", input_size=(160, 128), offset=0.375): Figures(
        2_305_082, 0.13433
    ),
}
