"""Layers of a deformable decoder: tokens look at a few places of several maps.

Zhu et al., "Deformable DETR" (ICLR 2021), in the cheap order of Poseur (Mao et al.,
ECCV 2022): whole features are sampled and summed, then projected.

Legend: B images, K keypoints, M groups of K queries: one of each image, in training
also its noisy copies, image after image. L levels of the memory, whose N rows are the
pixels of all maps, level after level; H heads, P places of a head on all levels, D
channels. Points are x and y in [0, 1] of the crop.
"""

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from distilpose_keras.losses.poseur import (
    MOVED_COPIES,
    NOISE_DEVIATION,
    NOISY_COPIES,
    noisy_references,
)
from distilpose_keras.models.layers import PACKAGE, sine_position_code
from distilpose_keras.types import Size, Tensor

GROUPS = 1 + NOISY_COPIES  # of queries of an image, in training
CENTER = -0.5  # positions are those of pixel centres


@keras.saving.register_keras_serializable(PACKAGE)
class Table(layers.Layer):
    """A learned table (1, rows, columns), whatever the layer is called on."""

    def __init__(self, rows: int, columns: int, **kwargs: Any) -> None:
        """Make the layer; `rows` and `columns` are those of the table."""
        super().__init__(**kwargs)
        self.rows, self.columns = rows, columns

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Add the table."""
        self.table = self.add_weight(
            name="weight", shape=(self.rows, self.columns), initializer="glorot_uniform"
        )

    def call(self, like: Tensor) -> Tensor:
        """Return the table."""
        return ops.cast(self.table, self.compute_dtype)[None]

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        """(1, rows, columns)."""
        return 1, self.rows, self.columns

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "rows": self.rows, "columns": self.columns}


@keras.saving.register_keras_serializable(PACKAGE)
class JoinLevels(layers.Layer):
    """Maps (B, h, w, D) of all levels to a memory (B, N, D).

    Each row gets the sine code of its place and the learned code of its level.
    """

    def build(self, input_shape: list[tuple[int | None, ...]]) -> None:
        """Add the (L, D) codes of the levels, and compute those of the places."""
        dim = input_shape[0][-1]
        self.level_embeds = self.add_weight(
            name="level_embeds",
            shape=(len(input_shape), dim),
            initializer=keras.initializers.RandomNormal(stddev=1.0),
        )
        self._codes = [
            sine_position_code(*shape[1:3], dim, offset=CENTER) for shape in input_shape
        ]

    def call(self, maps: list[Tensor]) -> Tensor:
        """Return the memory."""
        levels = []
        for i, (x, code) in enumerate(zip(maps, self._codes, strict=True)):
            x = ops.reshape(x, (-1, *code.shape))
            code = ops.cast(code, x.dtype) + ops.cast(self.level_embeds[i], x.dtype)
            levels.append(x + code)
        return ops.concatenate(levels, axis=1)

    def compute_output_shape(
        self, input_shape: list[tuple[int | None, ...]]
    ) -> tuple[int | None, ...]:
        """(B, N, D)."""
        rows = sum(shape[1] * shape[2] for shape in input_shape)
        return input_shape[0][0], rows, input_shape[0][-1]


@keras.saving.register_keras_serializable(PACKAGE)
class NoisyCopies(layers.Layer):
    """Points (B, K, 2) to those that decoding starts from, (M, K, 2).

    In training the points themselves and three copies of them, in which some points,
    the same for the whole batch, are moved at random; else the points.
    """

    def __init__(self, **kwargs: Any) -> None:
        """Make the layer."""
        super().__init__(**{"dtype": "float32", **kwargs})
        self.seed_generator = keras.random.SeedGenerator()

    def draw(self, batch: Any, keypoints: int) -> tuple[Tensor, Tensor]:
        """Return the noise (B, n, 2) and which of the 3 K copies (n,) it moves."""
        copies = NOISY_COPIES * keypoints
        count = min(MOVED_COPIES, copies)
        noise = keras.random.normal(
            (batch, count, 2), stddev=NOISE_DEVIATION, seed=self.seed_generator
        )
        order = keras.random.uniform((copies,), seed=self.seed_generator)
        return noise, ops.top_k(order, count)[1]

    def call(self, points: Tensor, training: bool | None = None) -> Tensor:
        """Return the points, and copies where it trains."""
        if not training:
            return points
        keypoints = points.shape[1]
        noise, chosen = self.draw(ops.shape(points)[0], keypoints)
        copies = noisy_references(points, noise, chosen)  # (B, GROUPS * K, 2)
        return ops.reshape(copies, (-1, keypoints, 2))

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        """The shape outside of training."""
        return input_shape


@keras.saving.register_keras_serializable(PACKAGE)
class BySample(layers.Layer):
    """What decoding says of each group, (M, n, K, C), to (B, n, Q, C).

    Q is K, and in training all the groups' queries, group after group.
    """

    def __init__(self, **kwargs: Any) -> None:
        """Make the layer; it keeps the type of what it is given."""
        super().__init__(**{"autocast": False, **kwargs})

    def call(self, x: Tensor, training: bool | None = None) -> Tensor:
        """Return the values by image."""
        if not training:
            return x
        _, count, keypoints, channels = x.shape
        x = ops.reshape(x, (-1, GROUPS, count, keypoints, channels))
        x = ops.transpose(x, (0, 2, 1, 3, 4))
        return ops.reshape(x, (-1, count, GROUPS * keypoints, channels))

    def compute_output_spec(
        self, x: Tensor, training: bool | None = None
    ) -> keras.KerasTensor:
        """The shape outside of training."""
        return keras.KerasTensor(x.shape, x.dtype)


@keras.saving.register_keras_serializable(PACKAGE)
class SampleMemory(layers.Layer):
    """Sums features around points: (M, H, K, D).

    Bilinear, between the centres of pixels; what is off a map is 0. Gathers rows and
    multiplies: every exported format has both built in.
    """

    def __init__(self, sizes: list[Size], points: int, **kwargs: Any) -> None:
        """Make the layer.

        Args:
            sizes: (height, width) of the L levels.
            points: places of a head on each level, P / L.
            **kwargs: of keras.layers.Layer.
        """
        # Places are float32 under every policy: a map has more pixels than bfloat16
        # has digits.
        super().__init__(**{"autocast": False, **kwargs})
        self.sizes = [tuple(size) for size in sizes]
        self.points = points

    def call(
        self,
        memory: Tensor,
        reference: Tensor,
        offsets: Tensor,
        weights: Tensor,
        training: bool | None = None,
    ) -> Tensor:
        """Return the sums.

        Args:
            memory: (B, N, D).
            reference: (M, K, 2) points that are looked around.
            offsets: (M, K, H * P * 2) from there, x and y in pixels of the level; of a
                head level after level, place after place.
            weights: (M, K, H, P) of the places.
            training: whether there are noisy copies.
        """
        _, rows, dim = memory.shape
        _, keypoints, heads, places = weights.shape
        shape = (-1, keypoints, heads, places)
        indices, shares = [], []
        for index, share in self._taps(reference, offsets, heads):
            indices.append(ops.reshape(index, shape))
            shares.append(ops.reshape(share, shape) * ops.cast(weights, "float32"))
        indices = ops.concatenate(indices, axis=-1)  # (M, K, H, 4 P)
        shares = ops.cast(ops.concatenate(shares, axis=-1), memory.dtype)

        image = ops.arange(ops.shape(reference)[0], dtype="int32")
        image = ops.floor_divide(image, GROUPS) if training else image
        indices = ops.reshape(indices, (-1, keypoints * heads * 4 * places))
        indices = indices + (image * rows)[:, None]
        features = ops.take(
            ops.reshape(memory, (-1, dim)), ops.reshape(indices, (-1,)), axis=0
        )
        features = ops.reshape(features, (-1, 4 * places, dim))
        shares = ops.reshape(shares, (-1, 1, 4 * places))
        sums = ops.matmul(shares, features)  # (M K H, 1, D)
        sums = ops.reshape(sums, (-1, keypoints, heads, dim))
        return ops.transpose(sums, (0, 2, 1, 3))

    def _taps(self, reference, offsets, heads):
        """Yield the rows of one image and the shares of the four pixels of each place.

        Both (M, K, H * P).
        """
        reference, offsets = (ops.cast(x, "float32") for x in (reference, offsets))
        sizes = np.array(self.sizes)
        starts = np.cumsum(np.prod(sizes, axis=1)) - np.prod(sizes, axis=1)
        # Of the level of each place of each head.
        height, width, start = (
            np.tile(np.repeat(values, self.points), heads)
            for values in (*sizes.T, starts)
        )
        start, stride = (ops.cast(v, "int32") for v in (start, width))
        x = _along(reference[..., :1], offsets[..., 0::2], width)
        y = _along(reference[..., 1:], offsets[..., 1::2], height)
        for row, y_share in y:
            for column, x_share in x:
                yield start + row * stride + column, y_share * x_share

    def compute_output_shape(
        self,
        memory_shape: tuple[int | None, ...],
        reference_shape: tuple[int | None, ...],
        offsets_shape: tuple[int | None, ...],
        weights_shape: tuple[int | None, ...],
    ) -> tuple[int | None, ...]:
        """(M, H, K, D)."""
        batch, keypoints, heads, _ = weights_shape
        return batch, heads, keypoints, memory_shape[-1]

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "sizes": self.sizes, "points": self.points}


def _along(reference, offsets, length):
    """Pixels before and after places along one axis, each with its share.

    Args:
        reference: (M, K, 1) in [0, 1].
        offsets: (M, K, n) pixels.
        length: (n,) pixels of the axis.

    Returns:
        two pairs of int32 positions on the axis and shares, 0 for those that are not.
    """
    size = ops.cast(length, "float32")
    place = reference * size + offsets - 0.5
    before = ops.floor(place)
    after_share = place - before
    last = ops.cast(length - 1, "int32")
    pairs = []
    for step, share in ((0, 1 - after_share), (1, after_share)):
        position = before + step
        inside = ops.cast((position >= 0) & (position < size), "float32")
        position = ops.maximum(ops.cast(position, "int32"), 0)
        pairs.append((ops.minimum(position, last), share * inside))
    return pairs
