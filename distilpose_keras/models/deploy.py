"""The inference graph of a student, with everything constant computed beforehand.

What changes, and why no output does:

* Images enter as RGB 0..255. The mean is subtracted before the first convolution's
  zero padding, the division by the standard deviation is folded into its weights.
* Batch-norm is folded into the convolutions.
* Only layer-norms read the transformer's residual stream, and they first remove the
  mean over channels. So that mean is removed from the weights of all that is written
  to the stream, and a layer-norm only has to divide. Its scale and offset are folded
  into the linear map that follows, and so is the scale of the queries.
* The last layer is evaluated for the K keypoint tokens alone: no output depends on
  the visual tokens that it would produce.
* The position code is first added to the patches alone, before they are joined to the
  keypoint tokens. The sigmas, which only training needs, are cut from the head.

For integers, tokens are normalised three times. Keypoint tokens are up to 500 times
smaller than visual ones: their squares vanish in the 16 bits that both share, and
TFLite's int16 inverse square root is a table of few entries, wrong for variances that
are small beside the largest. The first norm makes the large tokens smaller, the second
the small ones larger, both roughly; the third time all variances are near 1.
"""

from contextlib import contextmanager

import keras
import numpy as np
from keras import layers, ops

from distilpose_keras.models.backbones import backbone
from distilpose_keras.models.layers import (
    EPSILON,
    PACKAGE,
    AddConstant,
    PrependConstant,
    attend,
    gelu,
    pad_for,
    sine_position_code,
)
from distilpose_keras.pixels import IMAGE_MEAN, IMAGE_STD

NORMS_FOR_INTEGERS = 3


def deploy(model, batch_size=None, *, for_integers=False):
    """Return the inference graph of a student: same outputs, fewer operations.

    Args:
        model: a student `PoseModel`.
        batch_size: None for any, or the one batch size that the graph accepts.
        for_integers: normalise tokens three times, so that integers can. The epsilon
            of the norms then counts for less: tokens of a variance near it are larger.

    Returns:
        A functional `keras.Model` from `image` (B, H, W, 3), float32 RGB 0..255, to a
        dict of `keypoints` (B, K, 2) and `scores` (B, K, 1), equal to the student's
        up to float32 rounding.

    Raises:
        ValueError: if the model is not a student.
    """
    config = getattr(model, "pose_config", None)
    if config is None or config.is_teacher:
        raise ValueError(
            "only a student (a PoseModel that predicts keypoints) can be deployed. "
            f"Received: {getattr(model, 'name', model)!r}"
        )
    with _float32_policy():
        source = _Source(model, norms=NORMS_FOR_INTEGERS if for_integers else 1)
        return _deployed_graph(source, config, batch_size)


def _deployed_graph(source, config, batch_size):
    """Build the graph from images to the dict of outputs."""
    images = keras.Input((*config.input_size, 3), batch_size=batch_size, name="image")
    x = images - np.array(IMAGE_MEAN, "float32") * 255
    features = backbone(x, config, source.conv_bn)
    head = _token_head if config.has_tokens else _pooled_head
    return keras.Model(images, head(features, config, source), name=config.name)


@contextmanager
def _float32_policy():
    """Build layers in float32, whatever precision is used for training."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)


class _Source:
    """The trained model's weights, and makers of layers with weights made of them."""

    def __init__(self, model, norms):
        self._norms = norms
        self._weights = {
            f"{layer.name}/{variable.name}": keras.ops.convert_to_numpy(variable)
            for layer in model.layers
            for variable in layer.variables
        }

    def __call__(self, name):
        """One weight, float64, so that folding does not add rounding."""
        return self._weights[name].astype("float64")

    def linear(self, name):
        """Kernel and bias of a linear map or a convolution; a missing bias is 0."""
        kernel = self(f"{name}/kernel")
        has_bias = f"{name}/bias" in self._weights
        return kernel, self(f"{name}/bias") if has_bias else np.zeros(kernel.shape[-1])

    def linear_after_norm(self, name, norm_name):
        """A linear map that has taken over the scale and offset of its layer-norm."""
        kernel, bias = self.linear(name)
        gamma, beta = self(f"{norm_name}/gamma"), self(f"{norm_name}/beta")
        return gamma[:, None] * kernel, bias + beta @ kernel

    def norm(self, x, name):
        """A layer-norm without its scale and offset, or several after another."""
        for i in range(1, self._norms):
            x = CenteredNorm(name=f"{name}-{i}")(x)
        return CenteredNorm(name=name)(x)

    def conv_bn(
        self, x, filters, kernel_size, *, name, norm_name, strides=1, relu=True
    ):
        """A convolution with bias that equals `layers.conv_bn` in inference."""
        kernel = self(f"{name}/kernel")
        if name == "backbone-conv1":  # the one that reads the image
            kernel = kernel / (255 * np.array(IMAGE_STD)[:, None])
        scale = self(f"{norm_name}/gamma") / np.sqrt(
            self(f"{norm_name}/moving_variance") + EPSILON
        )
        bias = self(f"{norm_name}/beta") - self(f"{norm_name}/moving_mean") * scale
        x, padding = pad_for(x, kernel_size, strides)
        layer = layers.Conv2D(
            filters,
            kernel_size,
            strides=strides,
            padding=padding,
            activation="relu" if relu else None,
            name=name,
        )
        return _with_weights(layer, x, kernel * scale, bias)


def _with_weights(layer, x, *weights):
    """Apply a layer and give it its weights."""
    y = layer(x)
    layer.set_weights(weights)
    return y


def _centered(*weights):
    """Weights of what is written to the residual stream, without their channel mean."""
    return [w - w.mean(axis=-1, keepdims=True) for w in weights]


@keras.saving.register_keras_serializable(PACKAGE)
class CenteredNorm(layers.Layer):
    """Layer-norm without scale and offset, of tokens whose channel mean is zero."""

    def call(self, x):
        """Divide by the root mean square over channels."""
        return centered_norm(x, lambda step, value: value)


def centered_norm(x, between):
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


def _dense(x, kernel, bias, name):
    """A linear map of the last axis of (B, N, C), as one matrix product."""
    batch, count, channels = x.shape
    rows = -1 if batch is None else batch * count
    x = ops.reshape(x, (rows, channels))
    x = _with_weights(layers.Dense(kernel.shape[-1], name=name), x, kernel, bias)
    return ops.reshape(x, (batch or -1, count, kernel.shape[-1]))


def _token_head(features, config, source):
    """The transformer and its head."""
    name = "keypoint_head-tokenhead"
    k, dim = config.num_keypoints, config.token_dim
    (positions,) = _centered(sine_position_code(*config.patch_grid, dim))
    x = _embed(features, config, source, positions, name)  # (B, K + P, D)
    for i in range(config.token_layers):
        if i:
            x = AddConstant(np.pad(positions, ((k, 0), (0, 0))))(x)
        x = _transformer_layer(
            x,
            config,
            source,
            name=f"{name}-transformer-layers-{i}",
            outputs=k if i == config.token_layers - 1 else x.shape[1],
        )
    x = source.norm(x, f"{name}-mlp_head-0")
    kernel, bias = source.linear_after_norm(f"{name}-mlp_head-1", f"{name}-mlp_head-0")
    # Two maps, so that a quantized graph has one range for each.
    keypoints = _dense(x, kernel[:, :2], bias[:2], f"{name}-keypoints")
    scores = _dense(x, kernel[:, 2:3], bias[2:3], f"{name}-scores")
    return {"keypoints": ops.sigmoid(keypoints), "scores": scores}


def _embed(features, config, source, positions, name):
    """Patches with positions behind the keypoint tokens."""
    rows, columns = config.patch_grid
    kernel, bias = _centered(*source.linear(f"{name}-patch_to_embedding"))
    layer = layers.Conv2D(
        config.token_dim,
        config.patch_size,
        strides=config.patch_size,
        name=f"{name}-patch_to_embedding",
    )
    x = _with_weights(layer, features, kernel, bias)
    x = ops.reshape(x, (x.shape[0] or -1, rows * columns, config.token_dim))
    (tokens,) = _centered(source(f"{name}/keypoint_token"))
    return PrependConstant(tokens[0])(AddConstant(positions)(x))


def _transformer_layer(x, config, source, *, name, outputs):
    """`layers.transformer_layer` for the first `outputs` tokens."""
    attention, mlp = f"{name}-0-fn", f"{name}-1-fn"
    dim, heads = config.token_dim, config.token_heads
    kernel, bias = source.linear_after_norm(
        f"{attention}-fn-to_qkv", f"{attention}-norm"
    )
    kernel[:, :dim] *= (dim // heads) ** -0.5
    bias[:dim] *= (dim // heads) ** -0.5
    normed = source.norm(x, f"{attention}-norm")
    queried = normed[:, :outputs] if outputs < x.shape[1] else normed
    projected = [
        _dense(tokens, part, offset, f"{attention}-fn-to_{role}")
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
    out = _centered(*source.linear(f"{attention}-fn-to_out-0"))
    x = x + _dense(y, *out, f"{attention}-fn-to_out-0")

    hidden = source.linear_after_norm(f"{mlp}-fn-net-0", f"{mlp}-norm")
    y = source.norm(x, f"{mlp}-norm")
    y = gelu(_dense(y, *hidden, f"{mlp}-fn-net-0"))
    out = _centered(*source.linear(f"{mlp}-fn-net-3"))
    return x + _dense(y, *out, f"{mlp}-fn-net-3")


def _pooled_head(features, config, source):
    """DeepPose's linear head, its outputs sorted by kind."""
    k = config.num_keypoints
    x = layers.GlobalAveragePooling2D()(features)
    kernel, bias = source.linear("keypoint_head-fc")
    kernel, bias = kernel.reshape(len(kernel), k, -1), bias.reshape(k, -1)

    def linear(begin, end, name):
        weights = kernel[..., begin:end].reshape(len(kernel), -1)
        layer = layers.Dense(weights.shape[-1], name=f"keypoint_head-{name}")
        y = _with_weights(layer, x, weights, bias[:, begin:end].ravel())
        return ops.reshape(y, (y.shape[0] or -1, k, end - begin))

    keypoints = linear(0, 2, "keypoints")
    if not config.confidence:
        return {"keypoints": keypoints, "scores": ops.ones_like(keypoints[..., :1])}
    return {"keypoints": keypoints, "scores": linear(2, 3, "scores")}
