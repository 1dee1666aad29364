"""The transformer of an inference graph: the same tokens from fewer operations.

What changes, and why no output does:

* Only layer-norms read the transformer's residual stream, and they first remove the
  mean over channels. So that mean is removed from the weights of all that is written
  to the stream, and a layer-norm only has to divide. Its scale and offset are folded
  into the linear map that follows, and so is the scale of the queries.
* The last layer is evaluated for the K keypoint tokens alone: no output depends on
  the visual tokens that it would produce.
* The position code is first added to the patches alone, before they are joined to the
  keypoint tokens.

For integers, tokens are normalised three times. Keypoint tokens are up to 500 times
smaller than visual ones: their squares vanish in the 16 bits that both share, and
TFLite's int16 inverse square root is a table of few entries, wrong for variances that
are small beside the largest. The first norm makes the large tokens smaller, the second
the small ones larger, both roughly; the third time all variances are near 1.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import layers, ops

from distilpose_keras.models.folding import with_weights
from distilpose_keras.models.layers import (
    EPSILON,
    PACKAGE,
    attend,
    gelu,
    sine_position_code,
)
from distilpose_keras.models.token_layers import AddConstant, PrependConstant
from distilpose_keras.types import Tensor

if TYPE_CHECKING:
    from distilpose_keras.models.folding import Folding
    from distilpose_keras.models.transformer import TokenTransformer

NORMS_FOR_INTEGERS = 3


def deployed_keypoint_tokens(
    folding: "Folding",
    transformer: "TokenTransformer",
    num_keypoints: int,
    *,
    name: str,
) -> Tensor:
    """Build what `transformer.tokens` does, for inference.

    Args:
        folding: `Folding` of the model.
        transformer: its `TokenTransformer`.
        num_keypoints: K.
        name: published prefix of the head.

    Returns:
        (B, K, D) keypoint tokens without their mean over channels: a `norm` must read
        them.
    """
    features = folding.input_of(f"{name}-patch_to_embedding")
    k = num_keypoints
    grid = transformer.grid(features.shape[1:3])
    (positions,) = centered(sine_position_code(*grid, transformer.dim))
    x = _embed(features, transformer, folding, positions, name)  # (B, K + P, D)
    for i in range(transformer.layers):
        if i:
            x = AddConstant(np.pad(positions, ((k, 0), (0, 0))))(x)
        x = _transformer_layer(
            x,
            transformer,
            folding,
            name=f"{name}-transformer-layers-{i}",
            outputs=k if i == transformer.layers - 1 else x.shape[1],
        )
    return x


def centered(*weights: np.ndarray) -> list[np.ndarray]:
    """Return what is written to a normed stream, without its mean over channels."""
    return [w - w.mean(axis=-1, keepdims=True) for w in weights]


@keras.saving.register_keras_serializable(PACKAGE)
class CenteredNorm(layers.Layer):
    """Layer-norm without scale and offset, of tokens whose channel mean is zero."""

    def call(self, x: Tensor) -> Tensor:
        """Divide by the root mean square over channels."""
        return centered_norm(x, lambda step, value: value)


def centered_norm(x: Tensor, between: Callable[[str, Tensor], Tensor]) -> Tensor:
    """Compute a `CenteredNorm` operation by operation.

    Args:
        x: (B, N, D) tokens.
        between: function of the name and the value of each step but the last, which
            returns what the next one reads.
    """
    y = between("squares", ops.square(x))
    y = between("mean", ops.mean(y, axis=-1, keepdims=True))
    y = between("variance", y + EPSILON)
    y = between("inverse", ops.rsqrt(y))
    return x * y


def norm(folding: "Folding", x: Tensor, name: str) -> Tensor:
    """Build a layer-norm without its scale and offset, or several after another."""
    for i in range(1, folding.norms):
        x = CenteredNorm(name=f"{name}-{i}")(x)
    return CenteredNorm(name=name)(x)


def linear_after_norm(
    folding: "Folding", name: str, norm_name: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return a linear map that has taken over scale and offset of its layer-norm."""
    kernel, bias = folding.linear(name)
    gamma = folding.weight(f"{norm_name}/gamma")
    beta = folding.weight(f"{norm_name}/beta")
    return gamma[:, None] * kernel, bias + beta @ kernel


def dense(x: Tensor, kernel: np.ndarray, bias: np.ndarray, name: str) -> Tensor:
    """Build a linear map of the last axis of (B, N, C), as one matrix product."""
    batch, count, channels = x.shape
    rows = -1 if batch is None else batch * count
    x = ops.reshape(x, (rows, channels))
    x = with_weights(layers.Dense(kernel.shape[-1], name=name), x, kernel, bias)
    return ops.reshape(x, (batch or -1, count, kernel.shape[-1]))


def _embed(features, transformer, folding, positions, name):
    """Patches with positions behind the keypoint tokens."""
    rows, columns = transformer.grid(features.shape[1:3])
    kernel, bias = centered(*folding.linear(f"{name}-patch_to_embedding"))
    layer = layers.Conv2D(
        transformer.dim,
        transformer.patch_size,
        strides=transformer.patch_size,
        name=f"{name}-patch_to_embedding",
    )
    x = with_weights(layer, features, kernel, bias)
    x = ops.reshape(x, (x.shape[0] or -1, rows * columns, transformer.dim))
    (tokens,) = centered(folding.weight(f"{name}/keypoint_token"))
    return PrependConstant(tokens[0])(AddConstant(positions)(x))


def _transformer_layer(x, transformer, folding, *, name, outputs):
    """`layers.transformer_layer` for the first `outputs` tokens."""
    attention, mlp = f"{name}-0-fn", f"{name}-1-fn"
    dim, heads = transformer.dim, transformer.heads
    kernel, bias = linear_after_norm(
        folding, f"{attention}-fn-to_qkv", f"{attention}-norm"
    )
    kernel[:, :dim] *= (dim // heads) ** -0.5
    bias[:dim] *= (dim // heads) ** -0.5
    normed = norm(folding, x, f"{attention}-norm")
    queried = normed[:, :outputs] if outputs < x.shape[1] else normed
    projected = [
        dense(tokens, part, offset, f"{attention}-fn-to_{role}")
        for role, tokens, part, offset in zip(
            "qkv",
            (queried, normed, normed),
            np.split(kernel, 3, axis=1),
            np.split(bias, 3),
            strict=True,
        )
    ]
    y = attend(*projected, heads, name=f"{attention}-fn-softmax")
    if outputs < x.shape[1]:
        x = x[:, :outputs]
    out = centered(*folding.linear(f"{attention}-fn-to_out-0"))
    x = x + dense(y, *out, f"{attention}-fn-to_out-0")

    hidden = linear_after_norm(folding, f"{mlp}-fn-net-0", f"{mlp}-norm")
    y = norm(folding, x, f"{mlp}-norm")
    y = gelu(dense(y, *hidden, f"{mlp}-fn-net-0"))
    out = centered(*folding.linear(f"{mlp}-fn-net-3"))
    return x + dense(y, *out, f"{mlp}-fn-net-3")


def quantized_tokens(
    quantized: Any,
    transformer: "TokenTransformer",
    num_keypoints: int,
    name: str,
    last_norm: str,
) -> tuple[Tensor, Tensor]:
    """Return the tokens that are distilled, of a graph that computes in integers.

    The visual tokens of the last layer, which a deployed graph leaves out, are computed
    with the rounded weights of that layer, but with float activations: they must not
    widen the ranges of the keypoint tokens.

    Args:
        quantized: `distilpose_keras.quantization.graph.FakeQuantizedGraph`.
        transformer: `TokenTransformer`.
        num_keypoints: K.
        name: published prefix of the head.
        last_norm: name of the norm after the last layer.

    Returns:
        keypoint tokens (B, K, D) and visual tokens (B, P, D), without their mean.
    """
    layer = f"{name}-transformer-layers-{transformer.layers - 1}"
    attention, mlp = f"{layer}-0-fn", f"{layer}-1-fn"
    k, dim = num_keypoints, transformer.dim
    get, outputs = quantized.model.get_layer, quantized.outputs
    x = _stream(quantized, f"{attention}-norm")
    normed = outputs[f"{attention}-norm"]
    count = x.shape[1]
    y = attend(
        get(f"{attention}-fn-to_q")(normed[:, k:]),
        ops.reshape(outputs[f"{attention}-fn-to_k"], (-1, count, dim)),
        ops.reshape(outputs[f"{attention}-fn-to_v"], (-1, count, dim)),
        transformer.heads,
        name=f"{attention}-visual-softmax",
    )
    x = x[:, k:] + get(f"{attention}-fn-to_out-0")(y)
    y = get(f"{mlp}-fn-net-0")(CenteredNorm(name=f"{mlp}-visual-norm")(x))
    x = x + get(f"{mlp}-fn-net-3")(gelu(y))
    return tuple(
        tokens - ops.mean(tokens, axis=-1, keepdims=True)
        for tokens in (_stream(quantized, last_norm), x)
    )


def _stream(quantized, norm_name):
    """The tokens that a norm reads; the first of several, NAME-1, does so."""
    return quantized.norm_inputs[f"{norm_name}-1"]
