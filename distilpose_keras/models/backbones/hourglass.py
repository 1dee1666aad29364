"""Stacked hourglasses (Newell et al., ECCV 2016), as FPD and OKDHP build them.

Residual blocks normalise and clip before they convolve, and every convolution has a
bias. Legend: F channels, K keypoints, (h, w) a quarter of the input.
"""

from dataclasses import dataclass
from typing import ClassVar

import keras
from keras import layers, ops

from distilpose_keras.models.layers import (
    OUTPUT_DTYPE,
    batch_norm,
    conv_initializer,
    pad_for,
)


@dataclass(frozen=True)
class Hourglass:
    """The stem of a stack of hourglasses, and one hourglass with its heatmaps.

    Attributes:
        width: F, channels of the features.
        depth: how often an hourglass halves its map.
    """

    width: int = 256
    depth: int = 4

    stride: ClassVar[int] = 4

    def __post_init__(self):
        """Check the sizes."""
        if self.depth < 1 or self.width < 4 or self.width % 4:
            raise ValueError(
                "an hourglass has a depth of at least 1 and a width that is a multiple "
                f"of 4. Received: {self}"
            )

    @property
    def divisor(self):
        """Of the image, for all maps to be whole."""
        return self.stride * 2**self.depth

    def __call__(self, images):
        """Map (B, H, W, 3) to (B, H / 4, W / 4, F): the stem."""
        width = self.width
        x = conv(images, width // 4, 7, strides=2, name="conv1")
        x = ops.relu(batch_norm(x, "bn1"))
        x = residual(x, width // 2, name="layer1-0")
        x = layers.MaxPooling2D(2)(x)
        x = residual(x, width, name="layer2-0")
        return residual(x, width, name="layer3-0")

    def stack(self, features, num_keypoints, names, *, last):
        """Build one hourglass on (B, h, w, F) features.

        Args:
            features: of the stem, or what the hourglass before returned.
            num_keypoints: K.
            names: `StackNames`.
            last: whether no other hourglass follows.

        Returns:
            heatmaps (B, K, h, w), and features for the next hourglass or None.
        """
        x = self._hourglass(features, self.depth, names.hourglass)
        x = residual(x, self.width, name=names.residual)
        x = conv(x, self.width, 1, name=f"{names.mixed}-0")
        x = ops.relu(batch_norm(x, f"{names.mixed}-1"))
        maps = layers.Conv2D(
            num_keypoints,
            1,
            kernel_initializer=keras.initializers.RandomNormal(stddev=0.001),
            name=names.heatmaps,
            dtype=OUTPUT_DTYPE,
        )(x)
        heatmaps = ops.transpose(maps, (0, 3, 1, 2))
        if last:
            return heatmaps, None
        x = features + conv(x, self.width, 1, name=names.features_back)
        return heatmaps, x + conv(maps, self.width, 1, name=names.heatmaps_back)

    def _hourglass(self, x, depth, name):
        """Features of half the size and less, added to those of this size."""

        def block(y, branch):
            return residual(y, self.width, name=f"{name}-hg-{depth - 1}-{branch}-0")

        beside = block(x, 0)
        x = block(layers.MaxPooling2D(2)(x), 1)
        x = block(x, 3) if depth == 1 else self._hourglass(x, depth - 1, name)
        x = block(x, 2)
        return beside + ops.image.resize(x, beside.shape[1:3], interpolation="nearest")


@dataclass(frozen=True)
class StackNames:
    """Names of the layers of one hourglass and of what follows it.

    Attributes:
        hourglass: of its residual blocks.
        residual: of the block behind it.
        mixed: of a convolution and its norm.
        heatmaps: of the convolution to the heatmaps.
        features_back: of the one that leads the features on.
        heatmaps_back: of the one that leads the heatmaps on.
    """

    hourglass: str
    residual: str
    mixed: str
    heatmaps: str
    features_back: str
    heatmaps_back: str


def conv(x, filters, kernel_size, *, name, strides=1):
    """A convolution with bias that pads both sides alike."""
    x, padding = pad_for(x, kernel_size, strides)
    return layers.Conv2D(
        filters,
        kernel_size,
        strides=strides,
        padding=padding,
        kernel_initializer=conv_initializer(),
        name=name,
    )(x)


def residual(x, filters, *, name):
    """1x1, 3x3, 1x1 convolutions, each after norm and ReLU; no ReLU at the end."""
    y = x
    for i, (channels, kernel_size) in enumerate(
        ((filters // 2, 1), (filters // 2, 3), (filters, 1)), start=1
    ):
        y = ops.relu(batch_norm(y, f"{name}-bn{i}"))
        y = conv(y, channels, kernel_size, name=f"{name}-conv{i}")
    if x.shape[-1] != filters:
        x = conv(x, filters, 1, name=f"{name}-downsample-0")
    return x + y
