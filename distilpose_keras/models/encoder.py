"""A post-norm transformer encoder over a feature map (Vaswani et al., 2017; DETR)."""

from dataclasses import dataclass

import keras
import numpy as np
from keras import layers, ops

from distilpose_keras.models.config import check_divisible
from distilpose_keras.models.layers import attend, layer_norm
from distilpose_keras.models.token_layers import AddPositions

DROPOUT = 0.1  # TransPose's, everywhere in a layer; in training only


@dataclass(frozen=True)
class Encoder:
    """Sizes of an encoder.

    Attributes:
        dim: D, channels of a token.
        hidden: channels inside the MLPs.
        layers: encoder layers.
        heads: attention heads.
    """

    dim: int = 256
    hidden: int = 1024
    layers: int = 3
    heads: int = 8

    def __post_init__(self):
        """Check that the channels divide."""
        check_divisible("dim", [self.dim], [self.heads])
        check_divisible("dim", [self.dim], [4])

    def __call__(self, tokens, grid, *, name):
        """Encode tokens.

        The position code is added in every layer to what queries and keys are made of,
        never to the tokens themselves. No norm follows the last layer.

        Args:
            tokens: (B, rows * columns, D).
            grid: (rows, columns).
            name: published prefix of the layers.

        Returns:
            (B, rows * columns, D).
        """
        for i in range(self.layers):
            tokens = self._layer(tokens, grid, f"{name}-layers-{i}")
        return tokens

    def _layer(self, x, grid, name):
        attention = f"{name}-self_attn"
        placed = AddPositions(grid, name=f"{name}-positions")(x)
        # One published matrix for queries, keys and values; the two parts that read
        # different tokens.
        projected = _in_projection(placed, 2 * self.dim, f"{attention}-in_proj_qk")
        queries, keys = ops.split(projected, 2, axis=-1)
        values = _in_projection(x, self.dim, f"{attention}-in_proj_v")
        queries = queries * (self.dim // self.heads) ** -0.5
        y = attend(
            queries,
            keys,
            values,
            self.heads,
            name=f"{attention}-softmax",
            dropout=DROPOUT,
        )
        y = _linear(y, self.dim, f"{attention}-out_proj", bias="zeros")
        x = layer_norm(x + layers.Dropout(DROPOUT)(y), f"{name}-norm1")
        y = ops.relu(_linear(x, self.hidden, f"{name}-linear1"))
        y = _linear(layers.Dropout(DROPOUT)(y), self.dim, f"{name}-linear2")
        return layer_norm(x + layers.Dropout(DROPOUT)(y), f"{name}-norm2")


def _in_projection(x, units, name):
    """Part of a (D, 3 D) matrix that is initialised as one (Glorot and Bengio)."""
    limit = float(np.sqrt(6 / (4 * x.shape[-1])))
    return layers.Dense(
        units,
        kernel_initializer=keras.initializers.RandomUniform(-limit, limit),
        name=name,
    )(x)


def _linear(x, units, name, bias="uniform"):
    """A linear map; its bias begins as PyTorch's, unless at zero."""
    if bias == "uniform":
        limit = float(x.shape[-1] ** -0.5)
        bias = keras.initializers.RandomUniform(-limit, limit)
    return layers.Dense(units, bias_initializer=bias, name=name)(x)
