"""What quantizers learn from calibration crops: ranges and moments."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from distilpose_keras.export.rounding import Moments, patches

# Standard deviations that a clipped range reaches beyond the mean extreme of a crop:
# wider ones cost resolution on every crop, narrower ones clip too many.
MARGIN = 1.5


class Range(NamedTuple):
    """Values of one activation over the crops.

    Attributes:
        low: what to clip at below in 8 bits; a usual crop's smallest value.
        high: what to clip at above in 8 bits; a usual crop's largest value.
        lowest: the smallest value of all crops.
        highest: the largest value of all crops.
    """

    low: float
    high: float
    lowest: float
    highest: float


@dataclass(frozen=True)
class Statistics:
    """Ranges of activations by tensor name, input moments by name of the weights."""

    ranges: dict
    moments: dict


@dataclass(frozen=True)
class WeightedLayer:
    """A convolution or linear map of a graph.

    Attributes:
        weights: name of its weights.
        source: name of the tensor it reads.
        window: None for a linear map, else (kernel size, strides, padding) as
            `distilpose_keras.export.rounding.patches` takes them.
    """

    weights: str
    source: str
    window: tuple | None

    def rows(self, value):
        """Inputs (N, K) that the layer sees in a tensor of batch 1, channels last."""
        if self.window is None:
            return value.reshape(-1, value.shape[-1])
        return patches(value[0], *self.window)


def collect(run, crops, layers, *, progress=None):
    """Run a graph on crops and collect the statistics of what it computes.

    Args:
        run: function of one crop (1, H, W, 3) float32 that returns a dict of tensor
            name to value, for all that are to be quantized.
        crops: (N, H, W, 3) uint8 RGB.
        layers: the graph's `WeightedLayer`s; what they read is channels last.
        progress: None, or a function called after each crop.

    Returns:
        `Statistics`.
    """
    extremes = {}
    moments = {layer.weights: Moments() for layer in layers}
    for crop in crops:
        values = run(crop[None].astype(np.float32))
        for name, value in values.items():
            extremes.setdefault(name, []).append((value.min(), value.max()))
        for layer in layers:
            moments[layer.weights].add(layer.rows(values[layer.source]))
        if progress is not None:
            progress()
    ranges = {name: _range(np.array(pairs)) for name, pairs in extremes.items()}
    return Statistics(ranges, {name: m.mean() for name, m in moments.items()})


def _range(extremes):
    """`Range` of (N, 2) smallest and largest values per crop."""
    mean, deviation = extremes.mean(axis=0), extremes.std(axis=0)
    lowest, highest = extremes[:, 0].min(), extremes[:, 1].max()
    low = max(mean[0] - MARGIN * deviation[0], lowest)
    high = min(mean[1] + MARGIN * deviation[1], highest)
    return Range(float(low), float(high), float(lowest), float(highest))
