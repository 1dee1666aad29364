"""SimCC: a keypoint as two distributions, over columns and over rows.

Li et al., "SimCC: a Simple Coordinate Classification Perspective for Human Pose
Estimation" (ECCV 2022); Jiang et al., "RTMPose" (2023).

Legend: B samples, K keypoints, crops of (height, width) pixels, X = 2 width bins of
columns, Y = 2 height bins of rows. Bin i is at i / 2 pixels of the crop. Keypoints are
pixels of the crop over its width and height.

Each function takes ``xp``, the module whose arrays it computes with: `numpy` for
evaluation, `keras.ops` (the default) inside graphs.
"""

import math
from dataclasses import dataclass

import keras
import numpy as np
from keras import ops

from distilpose_keras.codecs.codec import Codec, Outputs
from distilpose_keras.codecs.peaks import graph_argmax
from distilpose_keras.keypoints import KeypointSchema

SPLIT_RATIO = 2  # bins per pixel
BOX_SIGMAS = 3  # whether a keypoint is on an axis is asked of so many deviations
# A half bin is a tie only on this grid: float32 keypoints miss it by less.
TIE_GRID = 1024.0
# Heatmap pixels: what heatmap models are taught, and hence what they predict.
HEATMAP_SIGMA = 2.0


@dataclass(frozen=True)
class SimCCTargets:
    """How the target distributions look.

    Attributes:
        sigmas: standard deviations (x, y) in bins.
        normalized: whether an uncut Gaussian has the sum 1, else the maximum 1.
        beta: inverse temperature of the softmax that makes logits a distribution.
    """

    sigmas: tuple[float, float]
    normalized: bool
    beta: float


SIMCC = SimCCTargets(sigmas=(6.0, 6.0), normalized=True, beta=1.0)  # published, ResNet
RTMPOSE = SimCCTargets(sigmas=(4.9, 5.66), normalized=False, beta=10.0)  # published


@keras.saving.register_keras_serializable("distilpose_keras")
@dataclass(frozen=True)
class SimCCCodec(Codec):
    """Logits (B, K, X) of columns and (B, K, Y) of rows, decoded by their maxima.

    Attributes:
        crop_size: (height, width).
        targets: how the target distributions look.
    """

    crop_size: tuple[int, int]
    targets: SimCCTargets = RTMPOSE

    outputs = ("x_logits", "y_logits")

    @property
    def heatmap_size(self):
        """(H, W), a quarter of the crop, as heatmap models have it."""
        return self.crop_size[0] // 4, self.crop_size[1] // 4

    def decode(self, outputs: Outputs) -> tuple[np.ndarray, np.ndarray]:
        """Return keypoints (N, K, 2) and scores (N, K)."""
        keypoints, scores = decode_simcc(*self._logits(outputs), xp=np)
        return keypoints, scores[..., 0]

    def graph_decode(self, outputs: Outputs) -> Outputs:
        """Return the tensors `keypoints` (B, K, 2) and `scores` (B, K, 1)."""
        keypoints, scores = decode_simcc(*self._logits(outputs))
        return {"keypoints": keypoints, "scores": scores}

    def average_mirrored(
        self, outputs: Outputs, mirrored: Outputs, schema: KeypointSchema
    ) -> Outputs:
        """Average the logits."""
        other = flip_simcc(*self._logits(mirrored), schema, xp=np)
        pairs = zip(self.outputs, self._logits(outputs), other, strict=True)
        return {name: (ours + theirs) / 2 for name, ours, theirs in pairs}

    def heatmaps(self, outputs: Outputs):
        """Return what a heatmap model would predict that believes the same."""
        return simcc_heatmaps(
            *self._logits(outputs), self.heatmap_size, beta=self.targets.beta
        )

    def scores_at(self, outputs: Outputs, keypoints: np.ndarray) -> np.ndarray:
        """Return the smaller logit of the bins nearest to keypoints.

        A keypoint off the axes counts as 0, which is what it was decoded from.
        """
        found = []
        for axis, logits in enumerate(self._logits(outputs)):
            bins = np.rint(keypoints[..., axis] * logits.shape[-1]).astype(int)
            inside = (bins >= 0) & (bins < logits.shape[-1])
            index = np.where(inside, bins, 0)[..., None]
            values = np.take_along_axis(logits, index, axis=-1)[..., 0]
            found.append(np.where(inside, values, np.minimum(logits.max(-1), 0)))
        return np.minimum(*found)

    def _logits(self, outputs):
        return [outputs[name] for name in self.outputs]

    @classmethod
    def from_config(cls, config):
        """Make the codec that `get_config` describes."""
        targets = config["targets"]
        targets = SimCCTargets(**{**targets, "sigmas": tuple(targets["sigmas"])})
        return cls(tuple(config["crop_size"]), targets)


def encode_simcc(keypoints, weights, crop_size, style=RTMPOSE, *, xp=ops):
    """Return target distributions and their weights.

    The Gaussian is at the nearest bin (halves to even) and covers the whole axis. A
    keypoint a little outside the crop keeps its weight and a Gaussian that is cut.

    Args:
        keypoints: (B, K, 2).
        weights: (B, K, 1) 1 for a labelled keypoint, in the crop or not, 0 otherwise.
        crop_size: (height, width).
        style: `SimCCTargets`.
        xp: numpy or keras.ops.

    Returns:
        x (B, K, X), y (B, K, Y) and weights (B, K, 1), float32; zero for a keypoint
        that is hidden or more than three deviations off an axis.
    """
    keypoints, weights = _float32(xp, keypoints), _float32(xp, weights)
    axes = list(zip((0, 1), crop_size[::-1], style.sigmas, strict=True))
    bins = [SPLIT_RATIO * pixels for _, pixels, _ in axes]
    centers = [
        _nearest_bin(xp, keypoints[..., axis, None] * count)  # (B, K, 1)
        for (axis, _, _), count in zip(axes, bins, strict=True)
    ]
    for center, count, sigma in zip(centers, bins, style.sigmas, strict=True):
        reach = BOX_SIGMAS * sigma
        on_axis = (center - reach < count) & (center + reach + 1 >= 0)
        weights = xp.where(on_axis, weights, xp.zeros_like(weights))
    distributions = []
    for center, count, sigma in zip(centers, bins, style.sigmas, strict=True):
        distance = xp.arange(count, dtype="float32") - center
        values = xp.exp(-0.5 * xp.square(distance / sigma))
        if style.normalized:
            values = values / (sigma * math.sqrt(2 * math.pi))
        distributions.append(xp.where(weights > 0, values, xp.zeros_like(values)))
    return *distributions, weights


def decode_simcc(x_logits, y_logits, *, xp=ops):
    """Return keypoints and scores.

    A keypoint is at the bins of the largest logits, its score is the smaller of both:
    no probability, around 0.2 to 1 of a trained RTMPose. With a score of 0 or less
    both bins are -1.

    Args:
        x_logits: (B, K, X) raw.
        y_logits: (B, K, Y) raw.
        xp: numpy or keras.ops.

    Returns:
        keypoints (B, K, 2) and scores (B, K, 1), float32.
    """
    logits = _float32(xp, x_logits), _float32(xp, y_logits)
    scores = xp.minimum(*(xp.max(z, axis=-1, keepdims=True) for z in logits))
    peaks = [_float32(xp, _first_maximum(xp, z))[..., None] for z in logits]
    bins = xp.concatenate(peaks, axis=-1)  # (B, K, 2)
    bins = xp.where(scores > 0, bins, -xp.ones_like(bins))
    counts = np.array([z.shape[-1] for z in logits], "float32")
    return xp.divide(bins, counts), scores


def flip_simcc(x_logits, y_logits, schema, *, xp=ops):
    """Return the logits of a mirrored crop as those of the crop itself.

    Columns are reversed, left and right exchanged; nothing is shifted. A flip test
    averages these with the logits of the crop, and decodes the average.

    Args:
        x_logits: (B, K, X) predicted on the mirrored crop.
        y_logits: (B, K, Y) predicted on the mirrored crop.
        schema: KeypointSchema of the keypoints.
        xp: numpy or keras.ops.
    """
    order = schema.flip_permutation
    x_logits, y_logits = (xp.take(z, order, axis=1) for z in (x_logits, y_logits))
    return xp.flip(x_logits, axis=-1), y_logits


def simcc_heatmaps(
    x_logits, y_logits, heatmap_size, *, beta, sigma=HEATMAP_SIGMA, xp=ops
):
    """Return what a heatmap model would predict that believes the same.

    The outer product of the two distributions says where a keypoint may be; the map is
    the mean of the Gaussians that a heatmap model is taught for those places. It is at
    most 1, and lower the less sure the distributions are.

    Args:
        x_logits: (B, K, X).
        y_logits: (B, K, Y).
        heatmap_size: (H, W) pixels, which lie evenly from the first bin on.
        beta: inverse temperature, of `SimCCTargets`.
        sigma: standard deviation of the Gaussians in heatmap pixels.
        xp: numpy or keras.ops.

    Returns:
        (B, K, H, W) float32.
    """
    height, width = heatmap_size
    columns = _expected_gaussian(xp, x_logits, width, beta, sigma)  # (B, K, W)
    rows = _expected_gaussian(xp, y_logits, height, beta, sigma)  # (B, K, H)
    return rows[..., :, None] * columns[..., None, :]


def _expected_gaussian(xp, logits, pixels, beta, sigma):
    """(..., pixels) mean of the Gaussians around bins that are distributed so."""
    logits = beta * _float32(xp, logits)
    scaled = xp.exp(logits - xp.max(logits, axis=-1, keepdims=True))
    probabilities = scaled / xp.sum(scaled, axis=-1, keepdims=True)
    bins = logits.shape[-1]
    centers = np.arange(bins) * (pixels / bins)  # heatmap pixels
    offsets = np.arange(pixels) - centers[:, None]  # (bins, pixels)
    gaussians = np.exp(-0.5 * np.square(offsets / sigma)).astype("float32")
    return xp.matmul(probabilities, gaussians)


def _first_maximum(xp, values):
    return values.argmax(axis=-1) if xp is np else graph_argmax(values)[0]


def _nearest_bin(xp, positions):
    return xp.round(xp.round(positions * TIE_GRID) / TIE_GRID)


def _float32(xp, values):
    if xp is np:
        return np.asarray(values, "float32")
    return ops.cast(values, "float32")
