"""Keypoints as coordinates, which a model regresses.

Legend: N people, K keypoints. Normalised keypoints are x / width and y / height of the
crop.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from distilpose_keras.codecs.codec import Codec, Outputs
from distilpose_keras.geometry import PLAIN, CropGeometry
from distilpose_keras.keypoints import KeypointSchema
from distilpose_keras.types import Size


@dataclass(frozen=True)
class CoordinateCodec(Codec):
    """Keypoints and scores as they are.

    What students return, and every exported file, whose graph has decoded.

    Attributes:
        mirror_shift: see `Codec`; one pixel of the crop for models that were trained
            on crops mirrored about their last pixel, x to width - 1 - x.
    """

    mirror_shift: float = 0.0

    outputs = ("keypoints", "scores")
    heatmap_size = None

    def decode(self, outputs: Outputs) -> tuple[np.ndarray, np.ndarray]:
        """Return `keypoints` (N, K, 2) and `scores` (N, K)."""
        return outputs["keypoints"], outputs["scores"][..., 0]

    def graph_decode(self, outputs: Outputs) -> Outputs:
        """Return the two outputs: nothing is left to decode."""
        return {name: outputs[name] for name in self.outputs}

    def average_mirrored(
        self, outputs: Outputs, mirrored: Outputs, schema: KeypointSchema
    ) -> Outputs:
        """Average keypoints and scores."""
        keypoints = flip_keypoints(mirrored["keypoints"], schema)
        keypoints[..., 0] -= self.mirror_shift
        other = {
            "keypoints": keypoints,
            "scores": mirrored["scores"][:, schema.flip_permutation],
        }
        return {name: (outputs[name] + value) / 2 for name, value in other.items()}


def encode_coordinates(
    keypoints_px: ArrayLike,
    visibility: ArrayLike,
    input_size: Size,
    geometry: CropGeometry = PLAIN,
) -> tuple[np.ndarray, np.ndarray]:
    """Return normalised keypoints and their weights.

    Args:
        keypoints_px: (..., K, 2) pixels of the crop.
        visibility: (..., K), 0 for a joint that is not labelled.
        input_size: (height, width) of the crop.
        geometry: `CropGeometry` of the crop.

    Returns:
        keypoints (..., K, 2) and weights (..., K, 1), float32; the weight is 1 for a
        labelled joint inside the crop, else 0.
    """
    height, width = input_size
    points = np.asarray(keypoints_px, np.float64)
    last = np.array([width - 1, height - 1])
    inside = np.all((points >= 0) & (points <= last), axis=-1)
    weights = (inside & (np.asarray(visibility) > 0))[..., None]
    keypoints = geometry.normalize(points, input_size)
    return keypoints.astype(np.float32), weights.astype(np.float32)


def flip_keypoints(keypoints: ArrayLike, schema: KeypointSchema) -> np.ndarray:
    """Mirror (..., K, 2) normalised keypoints and exchange left and right."""
    mirrored = np.asarray(keypoints)[..., schema.flip_permutation, :].copy()
    mirrored[..., 0] = 1 - mirrored[..., 0]
    return mirrored
