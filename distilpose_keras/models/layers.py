"""Building blocks: convolution with batch-norm, tokens, transformer layers.

A layer's name is the published PyTorch module's, with ``-`` for ``.`` (which PyTorch
forbids in parameter names): checkpoints are converted by name.
"""

import keras
import numpy as np
from keras import layers, ops

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


def conv_initializer():
    """He et al. (2015), by fan-out as in the published ResNets."""
    return keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal")


def pad_for(x, kernel_size, strides):
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
    x,
    filters,
    kernel_size,
    *,
    name,
    norm_name,
    strides=1,
    relu=True,
    use_bias=False,
):
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


def batch_norm(x, name):
    """Batch-norm with PyTorch's constants."""
    return layers.BatchNormalization(
        momentum=BATCH_NORM_MOMENTUM, epsilon=EPSILON, name=name
    )(x)


def layer_norm(x, name, dtype=None, *, epsilon=EPSILON):
    """Layer-norm over channels, with PyTorch's epsilon by default."""
    return layers.LayerNormalization(epsilon=epsilon, name=name, dtype=dtype)(x)


def dense(x, units, name, *, use_bias=True, dtype=None):
    """A linear map of the last axis, initialised as the published token layers."""
    return layers.Dense(
        units,
        use_bias=use_bias,
        kernel_initializer=keras.initializers.get(TOKEN_INITIALIZER),
        name=name,
        dtype=dtype,
    )(x)


def gelu(x):
    """Exact GELU by erf: TensorFlow's own is traced to Erfc, which ONNX has not."""
    return 0.5 * x * (1.0 + ops.erf(x * float(np.sqrt(0.5))))


def sine_position_code(rows, columns, dim):
    """Fixed 2D sine code of a grid of tokens (TokenPose, after DETR).

    The first half of the channels encodes y, the second x; each as interleaved sine
    and cosine at wavelengths up to 1e4 of the position, normalised to (0, 2 pi].

    Returns:
        (rows * columns, dim) float32 array, in row-major order of the grid.
    """
    half = dim // 2
    wavelengths = 1e4 ** (2 * (np.arange(half) // 2) / half)

    def encode(count):
        positions = np.arange(1, count + 1) / (count + 1e-6) * 2 * np.pi
        angles = positions[:, None] / wavelengths  # (count, half)
        return np.where(np.arange(half) % 2 == 0, np.sin(angles), np.cos(angles))

    y, x = encode(rows), encode(columns)
    code = np.concatenate([np.repeat(y, columns, 0), np.tile(x, (rows, 1))], axis=1)
    return code.astype("float32")


@keras.saving.register_keras_serializable(PACKAGE)
class PrependTokens(layers.Layer):
    """Puts K learned keypoint tokens before the visual tokens.

    Maps (B, P, D) to (B, K + P, D).
    """

    def __init__(self, num_tokens, **kwargs):
        """Make the layer; `num_tokens` is K."""
        super().__init__(**kwargs)
        self.num_tokens = num_tokens

    def build(self, input_shape):
        """Add the (1, K, D) tokens."""
        self.tokens = self.add_weight(
            name="keypoint_token",
            shape=(1, self.num_tokens, input_shape[-1]),
            initializer=keras.initializers.get(TOKEN_INITIALIZER),
        )

    def call(self, visual_tokens):
        """Return keypoint tokens and visual tokens as one sequence."""
        batch, _, dim = ops.shape(visual_tokens)
        tokens = ops.cast(self.tokens, visual_tokens.dtype)
        tokens = ops.broadcast_to(tokens, (batch, self.num_tokens, dim))
        return ops.concatenate([tokens, visual_tokens], axis=1)

    def compute_output_shape(self, input_shape):
        """(B, K + P, D) of (B, P, D)."""
        batch, count, dim = input_shape
        return batch, None if count is None else count + self.num_tokens, dim

    def get_config(self):
        """Return the constructor's arguments."""
        return {**super().get_config(), "num_tokens": self.num_tokens}


@keras.saving.register_keras_serializable(PACKAGE)
class AddPositions(layers.Layer):
    """Adds the sine position code to the last rows * columns tokens.

    Maps (B, N, D) to (B, N, D); tokens before the last rows * columns stay.
    """

    def __init__(self, grid, **kwargs):
        """Make the layer; `grid` is (rows, columns) of the visual tokens."""
        super().__init__(**kwargs)
        self.grid = tuple(grid)

    def build(self, input_shape):
        """Compute the code, zero for the keypoint tokens: (N, D)."""
        _, count, dim = input_shape
        code = sine_position_code(*self.grid, dim)
        self._code = np.pad(code, ((count - len(code), 0), (0, 0)))

    def call(self, tokens):
        """Return the tokens with their positions."""
        return tokens + ops.cast(self._code, tokens.dtype)

    def get_config(self):
        """Return the constructor's arguments."""
        return {**super().get_config(), "grid": self.grid}


@keras.saving.register_keras_serializable(PACKAGE)
class AddConstant(layers.Layer):
    """Adds a constant (N, D) array to (B, N, D) tokens."""

    def __init__(self, value, **kwargs):
        """Make the layer; `value` is the (N, D) array."""
        super().__init__(**kwargs)
        self._value = np.asarray(value, "float32")

    def call(self, tokens):
        """Return the tokens plus the constant."""
        return tokens + ops.cast(self._value, tokens.dtype)

    def get_config(self):
        """Return the constructor's arguments."""
        return {**super().get_config(), "value": self._value.tolist()}


@keras.saving.register_keras_serializable(PACKAGE)
class PrependConstant(layers.Layer):
    """Puts constant (K, D) tokens before (B, P, D) tokens."""

    def __init__(self, value, **kwargs):
        """Make the layer; `value` is the (K, D) array."""
        super().__init__(**kwargs)
        self._value = np.asarray(value, "float32")

    def call(self, tokens):
        """Return (B, K + P, D)."""
        value = ops.cast(self._value, tokens.dtype)[None]
        batch = ops.shape(tokens)[0]
        value = ops.broadcast_to(value, (batch, *self._value.shape))
        return ops.concatenate([value, tokens], axis=1)

    def get_config(self):
        """Return the constructor's arguments."""
        return {**super().get_config(), "value": self._value.tolist()}


def split_heads(x, heads):
    """(B, N, heads * d) -> (B, heads, N, d)."""
    batch, count, dim = x.shape
    x = ops.reshape(x, (batch or -1, count, heads, dim // heads))
    return ops.transpose(x, (0, 2, 1, 3))


def merge_heads(x):
    """(B, heads, N, d) -> (B, N, heads * d)."""
    batch, heads, count, dim = x.shape
    x = ops.transpose(x, (0, 2, 1, 3))
    return ops.reshape(x, (batch or -1, count, heads * dim))


def attend(queries, keys, values, heads, *, name, dropout=0.0):
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


def transformer_layer(tokens, heads, mlp_ratio, *, name):
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


def heatmap_layer(x, num_keypoints, *, kernel_size=1, name="keypoint_head-final_layer"):
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


def scores_and_sigmas(x):
    """Split raw (B, K, 3 + S) outputs: scores raw, sigmas (B, K, 2) positive."""
    return {"scores": x[..., 2:3], "sigmas": positive_sigmas(x[..., 3:])}


def positive_sigmas(raw):
    """(B, K, 2) standard deviations of raw (B, K, 1 or 2)."""
    sigmas = ops.softplus(raw)
    return ops.concatenate([sigmas, sigmas], -1) if raw.shape[-1] == 1 else sigmas
