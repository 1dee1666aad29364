"""Heatmaps between pixels: TransPose's, and those of TokenPose's own releases.

Yang et al., "TransPose: Keypoint Localization via Transformer" (ICCV 2021); Li et al.,
"TokenPose: Learning Keypoint Tokens for Human Pose Estimation" (ICCV 2021). Legend: B
or N samples, K keypoints, (H, W) heatmap pixels.
"""

from dataclasses import dataclass

import keras
import numpy as np
from keras import ops

from distilpose_keras.codecs.codec import Outputs
from distilpose_keras.codecs.gaussians import BOX_SIGMAS, SIGMA
from distilpose_keras.codecs.heatmaps import HeatmapCodec, flip_heatmaps
from distilpose_keras.geometry import ALIGNED
from distilpose_keras.keypoints import KeypointSchema


@keras.saving.register_keras_serializable("distilpose_keras")
@dataclass(frozen=True)
class SubpixelCodec(HeatmapCodec):
    """Heatmaps whose Gaussians cover the whole map, around the exact place.

    Keypoints are those of `ALIGNED` crops, in which the centres of a map's outermost
    pixels mirror each other: a mirrored map needs no shift.
    """

    sigma: float = SIGMA
    dark: bool = True
    missing: float = 0.0

    def encode(self, keypoints, weights):
        """Return `draw_gaussians` of normalised keypoints, in NumPy."""
        points = ALIGNED.denormalize(keypoints, self.heatmap_size)
        maps, weights = draw_gaussians(
            points, np.asarray(weights), self.heatmap_size, self.sigma, xp=np
        )
        return maps.astype(np.float32), weights.astype(np.float32)

    def graph_encode(self, keypoints, weights):
        """Return `draw_gaussians` of normalised keypoints, as tensors."""
        span, origin = self._span_and_origin()
        points = ops.add(ops.multiply(ops.cast(keypoints, "float32"), span), origin)
        weights = ops.cast(weights, "float32")
        return draw_gaussians(points, weights, self.heatmap_size, self.sigma)

    def decode(self, outputs: Outputs) -> tuple[np.ndarray, np.ndarray]:
        """Return keypoints (N, K, 2) and the maxima (N, K)."""
        keypoints, scores = super().decode(outputs)
        points = keypoints * self.heatmap_size[::-1]
        return ALIGNED.normalize(points, self.heatmap_size), scores

    def graph_decode(self, outputs: Outputs) -> Outputs:
        """Return the tensors `keypoints` (B, K, 2) and `scores` (B, K, 1)."""
        decoded = super().graph_decode(outputs)
        span, origin = self._span_and_origin()
        size = np.array(self.heatmap_size[::-1], "float32")
        # By `ops`: PyTorch's tensors cannot be joined to arrays while they are trained.
        keypoints = ops.subtract(
            ops.multiply(decoded["keypoints"], size / span), origin / span
        )
        return {**decoded, "keypoints": keypoints}

    def average_mirrored(
        self, outputs: Outputs, mirrored: Outputs, schema: KeypointSchema
    ) -> Outputs:
        """Average the maps."""
        other = flip_heatmaps(mirrored["heatmaps"], schema, shift=False)
        return {"heatmaps": (outputs["heatmaps"] + other) / 2}

    def positions(self, keypoints: np.ndarray) -> np.ndarray:
        """Return keypoints (..., K, 2) in pixels of the map."""
        return ALIGNED.denormalize(keypoints, self.heatmap_size)

    def _span_and_origin(self):
        return (
            ALIGNED.span(self.heatmap_size).astype("float32"),
            ALIGNED.origin(self.heatmap_size).astype("float32"),
        )


def draw_gaussians(points, weights, heatmap_size, sigma=SIGMA, *, xp=ops):
    """Draw a whole Gaussian at the exact place of each keypoint.

    Args:
        points: (B, K, 2) heatmap pixels.
        weights: (B, K, 1) 1 for a labelled keypoint, 0 otherwise.
        heatmap_size: (H, W).
        sigma: standard deviation in heatmap pixels; 2, and 3 for crops of 384x288.
        xp: `numpy` or `keras.ops`, what to compute with.

    Returns:
        heatmaps (B, K, H, W) and weights (B, K, 1). The weight is zero for a keypoint
        that is hidden or whose 3-sigma box does not touch the map.
    """
    reach = BOX_SIGMAS * sigma

    def touches(centers, length):
        # Truncated, not rounded down: as Python's int() does left of the map.
        first, end = xp.trunc(centers - reach), xp.trunc(centers + reach + 1)
        return (first < length) & (end >= 0)

    def profile(centers, length):
        distance = xp.arange(length, dtype="float32") - centers[..., None]
        return xp.exp(-0.5 * xp.square(distance / sigma))

    height, width = heatmap_size
    x, y = points[..., 0], points[..., 1]  # (B, K) each
    on_map = (touches(x, width) & touches(y, height))[..., None]
    maps = profile(y, height)[..., :, None] * profile(x, width)[..., None, :]
    return maps, xp.where(on_map, weights, xp.zeros_like(weights))
