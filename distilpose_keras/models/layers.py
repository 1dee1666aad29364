"""Building blocks: convolution with batch-norm, tokens, transformer layers.

A layer's name is the published PyTorch module's, with ``-`` for ``.`` (which PyTorch
forbids in parameter names): checkpoints are converted by name.
"""

import keras
import numpy as np
from keras import layers, ops

from distilpose_keras.types import Tensor

EPSILON = 1e-5  # PyTorch's default for batch-norm and layer-norm; Keras' is 1e-3
BATCH_NORM_MOMENTUM = 0.9  # PyTorch counts the other way: 0.1
# Published initialisation of token layers (TokenPose): truncated normal.
TOKEN_INITIALIZER = {
    "class_name": "TruncatedNormal",
    "config": {"mean": 0.0, "stddev": 0.02},
}
PACKAGE = "distilpose_keras"
# Predictions keep float32 under a mixed-precision policy.
OUTPUT_DTYPE = "float32"


def conv_initializer() -> keras.initializers.Initializer:
    """He et al. (2015), by fan-out as in the published ResNets."""
    return keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal")


def pad_for(x: Tensor, kernel_size: int, strides: int) -> Tensor:
    """Pad both sides alike, as PyTorch does where Keras' "same" would not.

    Returns:
        The tensor and the `padding` that its convolution needs.
    """
    if strides == 1:
        return x, "same"
    if kernel_size == 1:
        return x, "valid"
    return layers.ZeroPadding2D(kernel_size // 2)(x), "valid"


def conv_bn(
    x: Tensor,
    filters: int,
    kernel_size: int,
    *,
    name: str,
    norm_name: str,
    strides: int = 1,
    relu: bool = True,
    use_bias=False,
) -> Tensor:
    """Convolution without bias, batch-norm, and a ReLU, unless told otherwise."""
    x, padding = pad_for(x, kernel_size, strides)
    x = layers.Conv2D(
        filters,
        kernel_size,
        strides=strides,
        padding=padding,
        use_bias=use_bias,
        kernel_initializer=conv_initializer(),
        name=name,
    )(x)
    x = batch_norm(x, norm_name)
    return ops.relu(x) if relu else x


def depthwise_bn(
    x: Tensor, kernel_size: int, *, name: str, norm_name: str, strides: int = 1
) -> Tensor:
    """Convolution of each channel on its own without bias, and batch-norm."""
    x, padding = pad_for(x, kernel_size, strides)
    x = layers.DepthwiseConv2D(
        kernel_size,
        strides=strides,
        padding=padding,
        use_bias=False,
        depthwise_initializer=conv_initializer(),
        name=name,
    )(x)
    return batch_norm(x, norm_name)


def batch_norm(x: Tensor, name: str) -> Tensor:
    """Batch-norm with PyTorch's constants."""
    return layers.BatchNormalization(
        momentum=BATCH_NORM_MOMENTUM, epsilon=EPSILON, name=name
    )(x)


def layer_norm(
    x: Tensor, name: str, dtype: str | None = None, *, epsilon=EPSILON
) -> Tensor:
    """Layer-norm over channels, with PyTorch's epsilon by default."""
    return layers.LayerNormalization(epsilon=epsilon, name=name, dtype=dtype)(x)


def dense(
    x: Tensor, units: int, name: str, *, use_bias: bool = True, dtype: str | None = None
) -> Tensor:
    """A linear map of the last axis, initialised as the published token layers."""
    return layers.Dense(
        units,
        use_bias=use_bias,
        kernel_initializer=keras.initializers.get(TOKEN_INITIALIZER),
        name=name,
        dtype=dtype,
    )(x)


def gelu(x: Tensor) -> Tensor:
    """Exact GELU by erf: TensorFlow's own is traced to Erfc, which ONNX has not."""
    return 0.5 * x * (1.0 + ops.erf(x * float(np.sqrt(0.5))))


def sine_position_code(
    rows: int, columns: int, dim: int, *, offset: float = 0.0
) -> np.ndarray:
    """Fixed 2D sine code of a grid of tokens (TokenPose, after DETR).

    The first half of the channels encodes y, the second x; each as interleaved sine
    and cosine at wavelengths up to 1e4 of the position, normalised to (0, 2 pi].

    Args:
        rows: of the grid.
        columns: of the grid.
        dim: channels.
        offset: added to the positions, which count from 1.

    Returns:
        (rows * columns, dim) float32 array, in row-major order of the grid.
    """
    half = dim // 2
    wavelengths = 1e4 ** (2 * (np.arange(half) // 2) / half)

    def encode(count):
        positions = np.arange(1, count + 1) + offset
        positions = positions / (count + 1e-6) * 2 * np.pi
        angles = positions[:, None] / wavelengths  # (count, half)
        return np.where(np.arange(half) % 2 == 0, np.sin(angles), np.cos(angles))

    y, x = encode(rows), encode(columns)
    code = np.concatenate([np.repeat(y, columns, 0), np.tile(x, (rows, 1))], axis=1)
    return code.astype("float32")


def split_heads(x: Tensor, heads: int) -> Tensor:
    """(B, N, heads * d) -> (B, heads, N, d)."""
    batch, count, dim = x.shape
    x = ops.reshape(x, (batch or -1, count, heads, dim // heads))
    return ops.transpose(x, (0, 2, 1, 3))


def merge_heads(x: Tensor) -> Tensor:
    """(B, heads, N, d) -> (B, N, heads * d)."""
    batch, heads, count, dim = x.shape
    x = ops.transpose(x, (0, 2, 1, 3))
    return ops.reshape(x, (batch or -1, count, heads * dim))


def attend(
    queries: Tensor, keys: Tensor, values: Tensor, heads: int, *, name: str, dropout=0.0
) -> Tensor:
    """Multi-head attention of projected tokens; queries are already scaled.

    Args:
        queries: (B, Q, D).
        keys: (B, N, D).
        values: (B, N, D).
        heads: number of heads.
        name: of the softmax, whose output (B, heads, Q, N) are the attention maps.
        dropout: rate at which maps are hidden in training.

    Returns:
        (B, Q, D).
    """
    keys = ops.transpose(split_heads(keys, heads), (0, 1, 3, 2))  # (B, heads, d, N)
    logits = ops.matmul(split_heads(queries, heads), keys)
    maps = layers.Softmax(name=name)(logits)  # (B, heads, Q, N)
    if dropout:
        maps = layers.Dropout(dropout)(maps)
    return merge_heads(ops.matmul(maps, split_heads(values, heads)))


def transformer_layer(
    tokens: Tensor, heads: int, mlp_ratio: int, *, name: str
) -> Tensor:
    """One pre-norm layer: attention, then an MLP, each added to its input.

    Args:
        tokens: (B, N, D).
        heads: attention heads; queries are scaled by (D / heads) ** -0.5.
        mlp_ratio: hidden over outer channels of the MLP.
        name: published prefix, ``...transformer-layers-0``.
    """
    dim = tokens.shape[-1]
    attention, mlp = f"{name}-0-fn", f"{name}-1-fn"
    x = layer_norm(tokens, f"{attention}-norm")
    x = dense(x, 3 * dim, f"{attention}-fn-to_qkv", use_bias=False)
    queries, keys, values = ops.split(x, 3, axis=-1)
    queries = queries * (dim // heads) ** -0.5
    x = attend(queries, keys, values, heads, name=f"{attention}-fn-softmax")
    tokens = tokens + dense(x, dim, f"{attention}-fn-to_out-0")

    x = layer_norm(tokens, f"{mlp}-norm")
    x = gelu(dense(x, mlp_ratio * dim, f"{mlp}-fn-net-0"))
    return tokens + dense(x, dim, f"{mlp}-fn-net-3")


def deconvolution(x, filters, index):
    """Double the size of (B, H, W, C) features."""
    name = "keypoint_head-deconv_layers"
    x = layers.Conv2DTranspose(
        filters,
        4,
        strides=2,
        padding="same",
        use_bias=False,
        kernel_initializer=keras.initializers.RandomNormal(stddev=0.001),
        name=f"{name}-{3 * index}",
    )(x)
    return ops.relu(batch_norm(x, f"{name}-{3 * index + 1}"))


def heatmap_layer(
    x: Tensor,
    num_keypoints: int,
    *,
    kernel_size=1,
    name: str = "keypoint_head-final_layer",
) -> Tensor:
    """Map (B, H, W, C) features to heatmaps (B, K, H, W) by a convolution."""
    x = layers.Conv2D(
        num_keypoints,
        kernel_size,
        padding="same",
        kernel_initializer=keras.initializers.RandomNormal(stddev=0.001),
        name=name,
        dtype=OUTPUT_DTYPE,
    )(x)
    return ops.transpose(x, (0, 3, 1, 2))


def scores_and_sigmas(x: Tensor) -> dict[str, Tensor]:
    """Split raw (B, K, 3 + S) outputs: scores raw, sigmas (B, K, 2) positive."""
    return {"scores": x[..., 2:3], "sigmas": positive_sigmas(x[..., 3:])}


def positive_sigmas(raw: Tensor) -> Tensor:
    """(B, K, 2) standard deviations of raw (B, K, 1 or 2)."""
    sigmas = ops.softplus(raw)
    return ops.concatenate([sigmas, sigmas], -1) if raw.shape[-1] == 1 else sigmas
