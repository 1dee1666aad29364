"""A post-norm transformer encoder over a feature map (Vaswani et al., 2017; DETR)."""

from dataclasses import dataclass

import keras
import numpy as np
from keras import layers, ops

from distilpose_keras.models.config import check_divisible
from distilpose_keras.models.layers import attend, layer_norm
from distilpose_keras.models.token_layers import AddPositions

# The published matrix of a layer's queries, keys and values, and the parts of ours.
IN_PROJECTION = ("in_proj_weight", "in_proj_bias")
QUERIES_AND_KEYS, QUERIES, KEYS, VALUES = (
    f"in_proj_{part}" for part in ("qk", "q", "k", "v")
)


@dataclass(frozen=True)
class Encoder:
    """Sizes of an encoder.

    Attributes:
        dim: D, channels of a token.
        hidden: channels inside the MLPs.
        layers: encoder layers.
        heads: attention heads.
        dropout: rate at which values are hidden in training, everywhere in a layer.
    """

    dim: int = 256
    hidden: int = 1024
    layers: int = 3
    heads: int = 8
    dropout: float = 0.1

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
        placed = AddPositions(grid, name=f"{name}-positions")(x)
        rate = self.dropout
        y = self_attention(
            x, placed, self.heads, name=f"{name}-self_attn", dropout=rate
        )
        x = layer_norm(x + dropped(y, rate), f"{name}-norm1")
        y = feed_forward(x, self.hidden, (f"{name}-linear1", f"{name}-linear2"), rate)
        return layer_norm(x + dropped(y, rate), f"{name}-norm2")


def self_attention(x, placed, heads, *, name, dropout):
    """Attend to tokens by their places.

    Args:
        x: (B, N, D) tokens, which values are made of.
        placed: (B, N, D) tokens with their position code, which queries and keys are
            made of.
        heads: of the attention.
        name: published name of the module, a ``torch.nn.MultiheadAttention``.
        dropout: rate at which attention maps are hidden in training.
    """
    dim = x.shape[-1]
    # One published matrix for queries, keys and values; the two parts that read
    # different tokens.
    projected = in_projection(placed, 2 * dim, f"{name}-{QUERIES_AND_KEYS}")
    queries, keys = ops.split(projected, 2, axis=-1)
    values = in_projection(x, dim, f"{name}-{VALUES}")
    queries = queries * (dim // heads) ** -0.5
    y = attend(queries, keys, values, heads, name=f"{name}-softmax", dropout=dropout)
    return linear(y, dim, f"{name}-out_proj", bias="zeros")


def feed_forward(x, hidden, names, dropout):
    """Two linear maps of tokens with a ReLU between, by their published names."""
    y = ops.relu(linear(x, hidden, names[0]))
    return linear(dropped(y, dropout), x.shape[-1], names[1])


def dropped(x, rate):
    """Hide values in training, unless the rate is 0."""
    return layers.Dropout(rate)(x) if rate else x


def in_projection(x, units, name):
    """Part of a (D, 3 D) matrix that is initialised as one (Glorot and Bengio)."""
    limit = float(np.sqrt(6 / (4 * x.shape[-1])))
    return layers.Dense(
        units,
        kernel_initializer=keras.initializers.RandomUniform(-limit, limit),
        name=name,
    )(x)


def linear(x, units, name, bias="uniform"):
    """A linear map; its bias begins as PyTorch's, unless at zero."""
    if bias == "uniform":
        limit = float(x.shape[-1] ** -0.5)
        bias = keras.initializers.RandomUniform(-limit, limit)
    return layers.Dense(units, bias_initializer=bias, name=name)(x)


def split_in_projections(state, *, crossing=()):
    """Split the published matrices and biases that make queries, keys and values.

    Args:
        state: dict from key to array.
        crossing: ends of the names of modules whose queries and keys are made of
            different tokens: they are split in three.

    Returns:
        dict with the names that `self_attention` gives the parts, and ``in_proj_q``,
        ``in_proj_k`` and ``in_proj_v`` for those.
    """
    ours = {}
    for key, value in state.items():
        if not key.endswith(IN_PROJECTION):
            ours[key] = value
            continue
        module, parameter = key.rsplit(".in_proj_", 1)
        third = len(value) // 3
        if module.endswith(tuple(crossing)):
            parts = {QUERIES: value[:third], KEYS: value[third : 2 * third]}
        else:
            parts = {QUERIES_AND_KEYS: value[: 2 * third]}
        for name, part in {**parts, VALUES: value[2 * third :]}.items():
            ours[f"{module}.{name}.{parameter}"] = part
    return ours
