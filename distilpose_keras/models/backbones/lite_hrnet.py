"""Lite-HRNet (Yu et al., CVPR 2021): branches whose channels are weighed, not mixed.

Where HRNet has 3x3 convolutions, each channel is convolved on its own and multiplied by
gates that are computed from all branches and from its own mean. As mmpose builds it.
Legend: C channels of a branch; branch i is at stride 4 * 2^i with 2^i times the width.
"""

from dataclasses import dataclass
from typing import ClassVar

import keras
import numpy as np
from keras import layers, ops

from distilpose_keras.models.backbones.blocks import conv_module, depthwise_module
from distilpose_keras.models.layers import PACKAGE, conv_bn, depthwise_bn
from distilpose_keras.types import Tensor

BLOCKS = 2  # weighting blocks of a module
CROSS_REDUCTION = 8  # times fewer channels inside the gates across branches ...
SPATIAL_REDUCTION = 4  # ... and inside those of one branch


@dataclass(frozen=True)
class LiteHRNet:
    """Three stages of two, three and four branches, and a way back to the finest.

    Attributes:
        stem: channels of the stem, a multiple of 4.
        width: channels of the finest branch.
        modules: of the stages; each has two weighting blocks and a fusion.
    """

    stem: int = 32
    width: int = 40
    modules: tuple[int, int, int] = (2, 4, 2)

    stride: ClassVar[int] = 4
    divisor: ClassVar[int] = 32

    def __call__(self, images: Tensor) -> Tensor:
        """Map (B, H, W, 3) to (B, H / 4, W / 4, width)."""
        x = self._stem(images)
        name = "backbone-transition0"
        branches = [
            ops.relu(_separable(x, self.width, 1, name=f"{name}-0")),
            ops.relu(_separable(x, 2 * self.width, 2, name=f"{name}-1-0")),
        ]
        for stage, modules in enumerate(self.modules):
            if stage:
                name = f"backbone-transition{stage}-{len(branches)}-0"
                coarsest = branches[-1]
                new = _separable(coarsest, 2 * coarsest.shape[-1], 2, name=name)
                branches = [*branches, ops.relu(new)]
            for module in range(modules):
                name = f"backbone-stage{stage}-{module}"
                for block in range(BLOCKS):
                    branches = _weighting(branches, f"{name}-layers-{block}")
                branches = _fuse(branches, f"{name}-fuse_layers")
        return _back_up(branches, "backbone-head_layer-projects")

    def _stem(self, images):
        name, half = "backbone-stem", self.stem // 2
        x = conv_module(
            images, self.stem, 3, strides=2, act=ops.relu, name=f"{name}-conv1"
        )
        a, b = ops.split(x, 2, axis=-1)
        a = depthwise_module(a, 3, strides=2, name=f"{name}-branch1-0")
        a = conv_module(a, half, 1, act=ops.relu, name=f"{name}-branch1-1")
        b = conv_module(b, self.stem, 1, act=ops.relu, name=f"{name}-expand_conv")
        b = depthwise_module(b, 3, strides=2, name=f"{name}-depthwise_conv")
        b = conv_module(b, half, 1, act=ops.relu, name=f"{name}-linear_conv")
        return _shuffle(a, b)


def _separable(x, filters, strides, *, name):
    """Each channel's 3x3 convolution, then a 1x1, both with batch-norm."""
    x = depthwise_bn(x, 3, strides=strides, name=f"{name}-0", norm_name=f"{name}-1")
    return conv_bn(x, filters, 1, relu=False, name=f"{name}-2", norm_name=f"{name}-3")


def _shuffle(a, b):
    """Channels a0, b0, a1, b1, ... of two (B, h, w, C)."""
    height, width, channels = a.shape[1:]
    return ops.reshape(ops.stack([a, b], axis=-1), (-1, height, width, 2 * channels))


def _weighting(branches, name):
    """Weigh half of the channels of all branches together."""
    halves = [ops.split(x, 2, axis=-1) for x in branches]
    untouched, weighed = zip(*halves, strict=True)
    weighed = _across_branches(weighed, f"{name}-cross_resolution_weighting")
    outputs = []
    for i, (a, z) in enumerate(zip(untouched, weighed, strict=True)):
        z = depthwise_module(z, 3, name=f"{name}-depthwise_convs-{i}")
        z = z * _gate(z, f"{name}-spatial_weighting-{i}")
        outputs.append(_shuffle(a, z))
    return outputs


def _across_branches(maps, name):
    """Multiply each map by gates that are made of all of them, at the coarsest size."""
    coarsest = maps[-1].shape[1]
    means = [
        layers.AveragePooling2D(z.shape[1] // coarsest)(z) if z is not maps[-1] else z
        for z in maps
    ]
    x = ops.concatenate(means, axis=-1)
    channels = x.shape[-1]
    x = conv_module(
        x, channels // CROSS_REDUCTION, 1, act=ops.relu, name=f"{name}-conv1"
    )
    x = conv_module(x, channels, 1, act=ops.sigmoid, name=f"{name}-conv2")
    ends = np.cumsum([z.shape[-1] for z in maps])[:-1].tolist()
    gates = ops.split(x, ends, axis=-1)
    return [z * _enlarged(gate, z) for z, gate in zip(maps, gates, strict=True)]


def _enlarged(x, like):
    """Repeat the pixels of a map to the size of another one."""
    size = like.shape[1:3]
    if x.shape[1:3] == size:
        return x
    return ops.image.resize(x, size, interpolation="nearest")


def _gate(x, name):
    """Gates (B, 1, 1, C) of a map's channels, of their means."""
    channels = x.shape[-1]
    x = layers.GlobalAveragePooling2D(keepdims=True)(x)
    x = layers.Conv2D(channels // SPATIAL_REDUCTION, 1, name=f"{name}-conv1-conv")(x)
    x = layers.Conv2D(channels, 1, name=f"{name}-conv2-conv")(ops.relu(x))
    return ops.sigmoid(x)


def _fuse(branches, name):
    """Every output sums all branches, the finest one twice.

    The published code adds into the finest branch in place: the others get it once it
    holds the sum, before its ReLU. The weights were trained so.
    """
    first, *others = branches
    total = 2 * first
    for j, branch in enumerate(others, start=1):
        total = total + _resampled(branch, first, -j, f"{name}-0-{j}")
    outputs = [total]
    for i, branch in enumerate(others, start=1):
        fused = branch + 2 * _resampled(total, branch, i, f"{name}-{i}-0")
        for j, other in enumerate(others, start=1):
            if j != i:
                fused = fused + _resampled(other, branch, i - j, f"{name}-{i}-{j}")
        outputs.append(fused)
    return [ops.relu(x) for x in outputs]


def _resampled(x, like, levels, name):
    """Bring a branch to the size and channels of `like`, `levels` octaves coarser."""
    channels = like.shape[-1]
    if levels < 0:
        x = conv_bn(x, channels, 1, relu=False, name=f"{name}-0", norm_name=f"{name}-1")
        return _enlarged(x, like)
    for step in range(levels):
        last = step == levels - 1
        filters = channels if last else x.shape[-1]
        x = _separable(x, filters, 2, name=f"{name}-{step}")
        x = x if last else ops.relu(x)
    return x


def _back_up(branches, name):
    """Project from the coarsest branch to the finest, adding each on the way."""
    branches = branches[::-1]
    x = branches[0]
    for i in range(len(branches)):
        last = i == len(branches) - 1
        channels = (branches[i] if last else branches[i + 1]).shape[-1]
        x = depthwise_module(x, 3, name=f"{name}-{i}-depthwise_conv")
        x = conv_module(x, channels, 1, act=ops.relu, name=f"{name}-{i}-pointwise_conv")
        if not last:
            finer = branches[i + 1]
            x = finer + AlignedResize(finer.shape[1:3])(x)
    return x


@keras.saving.register_keras_serializable(PACKAGE)
class AlignedResize(layers.Layer):
    """Enlarges maps bilinearly; the outer pixels stay on the outer pixels.

    PyTorch's ``align_corners=True``: Keras' resizing aligns edges. Maps (B, h, w, C) to
    (B, *size, C).
    """

    def __init__(self, size: tuple[int, int], **kwargs) -> None:
        """Make the layer; `size` is (height, width), more than 1 pixel each."""
        super().__init__(**kwargs)
        self.size = tuple(size)

    def build(self, input_shape) -> None:
        """Compute how much of each pixel goes into each row and column."""
        self._rows = _linear_weights(input_shape[1], self.size[0])
        self._columns = _linear_weights(input_shape[2], self.size[1])

    def call(self, maps: Tensor) -> Tensor:
        """Return the larger maps."""
        _, height, width, channels = maps.shape
        rows, columns = (ops.cast(w, maps.dtype) for w in (self._rows, self._columns))
        x = ops.matmul(rows, ops.reshape(maps, (-1, height, width * channels)))
        x = ops.reshape(x, (-1, self.size[0], width, channels))
        return ops.matmul(columns, x)

    def compute_output_shape(self, input_shape):
        """(B, *size, C) of (B, h, w, C)."""
        return input_shape[0], *self.size, input_shape[-1]

    def get_config(self):
        """Return the constructor's arguments."""
        return {**super().get_config(), "size": self.size}


def _linear_weights(count, new):
    """(new, count) weights of `count` pixels at `new` places between the outer ones."""
    places = np.linspace(0, count - 1, new)
    distance = np.abs(places[:, None] - np.arange(count))
    return np.maximum(1 - distance, 0).astype("float32")
