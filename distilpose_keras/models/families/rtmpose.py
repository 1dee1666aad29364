"""RTMPose (Jiang et al., 2023): keypoint tokens that gate each other, classified.

Published with mmpose, COCO val, a detector's boxes and flip test: t 68.2 AP, s 71.6, m
74.6, l 75.8 (trained on COCO alone). Legend: B samples, K keypoints, X and Y bins of
columns and rows, two per pixel, (H, W) the input.

    image (B, H, W, 3) -> features (B, H / 32, W / 32, C) -> 7x7 convolution -> tokens
    (B, K, H W / 1024) -> (B, K, 256) -> gated attention -> logits (B, K, X), (B, K, Y)
"""

from dataclasses import dataclass
from typing import Any

import keras
from keras import layers, ops

from distilpose_keras.codecs.simcc import RTMPOSE, SimCCCodec
from distilpose_keras.losses.simcc import SimCCLoss
from distilpose_keras.models.backbones import CSPNeXt
from distilpose_keras.models.config import PoseConfig
from distilpose_keras.models.figures import Figures
from distilpose_keras.models.layers import OUTPUT_DTYPE, PACKAGE

NORM_FLOOR = 1e-5  # of the root mean square that a token is divided by


@dataclass(frozen=True)
class RTMPose(PoseConfig):
    """Settings of an RTMPose.

    Attributes:
        backbone: what makes the feature map of stride 32.
        dim: channels of a token.
        expansion: gated channels over channels.
        attention_dim: channels of queries and keys.
        kernel_size: of the convolution that makes a map per keypoint.
    """

    backbone: CSPNeXt = CSPNeXt()
    dim: int = 256
    expansion: int = 2
    attention_dim: int = 128
    kernel_size: int = 7

    def __post_init__(self):
        """Check that the input fits."""
        self._check_input_size(self.backbone.divisor, self.backbone.divisor)

    @property
    def codec(self):
        """Logits of columns and rows."""
        return SimCCCodec(tuple(self.input_size), RTMPOSE)

    def build(self, images):
        """Return the logits."""
        features = self.backbone(images)
        _, height, width, _ = features.shape
        x = layers.Conv2D(
            self.num_keypoints,
            self.kernel_size,
            padding="same",
            kernel_initializer=keras.initializers.RandomNormal(stddev=0.001),
            name="head-final_layer",
        )(features)
        x = ops.transpose(x, (0, 3, 1, 2))
        x = ops.reshape(x, (-1, self.num_keypoints, height * width))
        x = _linear(ScaleNorm(name="head-mlp-0")(x), self.dim, "head-mlp-1")
        x = self._gated_attention(x)
        height, width = self.input_size
        return {
            "x_logits": _linear(x, 2 * width, "head-cls_x", dtype=OUTPUT_DTYPE),
            "y_logits": _linear(x, 2 * height, "head-cls_y", dtype=OUTPUT_DTYPE),
        }

    def _gated_attention(self, x):
        """Let the tokens (B, K, D) see each other: squared ReLUs, no softmax."""
        wide, narrow = self.expansion * self.dim, self.attention_dim
        gated = ScaleNorm(name="head-gau-ln")(x)
        gated = ops.silu(_linear(gated, 2 * wide + narrow, "head-gau-uv"))
        u, v = gated[..., :wide], gated[..., wide : 2 * wide]
        queries, keys = QueriesAndKeys(name="head-gau")(gated[..., 2 * wide :])
        products = ops.matmul(queries, ops.transpose(keys, (0, 2, 1)))  # (B, K, K)
        weights = ops.square(ops.relu(products * narrow**-0.5))
        y = _linear(u * ops.matmul(weights, v), self.dim, "head-gau-o")
        return Scale(name="head-gau-res_scale")(x) + y

    def label_loss(self, model: Any):
        """Divergence from sharpened Gaussians."""
        return SimCCLoss(self.codec)

    def read_checkpoint(self, state):
        """Tell the gates' gamma and beta from those of a norm; drop preprocessing."""
        own = {f"head.gau.{name}": f"head.gau.gau_{name}" for name in ("gamma", "beta")}
        return {
            own.get(key, key): value
            for key, value in state.items()
            if not key.startswith("data_preprocessor.")
        }


def _linear(x, units, name, dtype=None):
    return layers.Dense(
        units,
        use_bias=False,
        kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
        name=name,
        dtype=dtype,
    )(x)


@keras.saving.register_keras_serializable(PACKAGE)
class ScaleNorm(layers.Layer):
    """Divides tokens by their root mean square and multiplies by one learned number."""

    def build(self, input_shape):
        """Add the number."""
        self.g = self.add_weight(name="g", shape=(1,), initializer="ones")

    def call(self, x):
        """Return the normed tokens, same shape."""
        square = ops.mean(ops.square(x), axis=-1, keepdims=True)
        return x / ops.maximum(ops.sqrt(square), NORM_FLOOR) * self.g


@keras.saving.register_keras_serializable(PACKAGE)
class QueriesAndKeys(layers.Layer):
    """Maps shared channels (B, K, S) to queries and keys by a scale and an offset."""

    def build(self, input_shape):
        """Add scale and offset of both: (2, S) each."""
        shape = (2, input_shape[-1])
        uniform = keras.initializers.RandomUniform(0.0, 1.0)
        self.gamma = self.add_weight(name="gau_gamma", shape=shape, initializer=uniform)
        self.beta = self.add_weight(name="gau_beta", shape=shape, initializer=uniform)

    def call(self, x):
        """Return two tensors (B, K, S)."""
        return tuple(x * self.gamma[i] + self.beta[i] for i in range(2))

    def compute_output_shape(self, input_shape):
        """Twice the shape of the input."""
        return tuple(input_shape), tuple(input_shape)


@keras.saving.register_keras_serializable(PACKAGE)
class Scale(layers.Layer):
    """Multiplies each channel by a learned number."""

    def build(self, input_shape):
        """Add the numbers."""
        shape = (input_shape[-1],)
        self.scale = self.add_weight(name="scale", shape=shape, initializer="ones")

    def call(self, x):
        """Return the scaled tensor, same shape."""
        return x * self.scale


MODELS = {
    RTMPose("rtmpose_t"): Figures(3_337_007, 0.3548, 3.34, 0.36, 68.2),
    RTMPose(
        "rtmpose_s",
        backbone=CSPNeXt((16, 16, 32), (64, 128, 256, 512), (1, 2, 2, 1)),
    ): Figures(5_473_251, 0.6764, 5.47, 0.68, 71.6),
    RTMPose(
        "rtmpose_m",
        backbone=CSPNeXt((24, 24, 48), (96, 192, 384, 768), (2, 4, 4, 2)),
    ): Figures(13_587_611, 1.9177, 13.59, 1.93, 74.6),
    RTMPose(
        "rtmpose_l",
        backbone=CSPNeXt((32, 32, 64), (128, 256, 512, 1024), (3, 6, 6, 3)),
    ): Figures(27_660_339, 4.1423, 27.66, 4.16, 75.8),
}
