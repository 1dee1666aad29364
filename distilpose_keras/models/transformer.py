"""The transformer over keypoint and visual tokens (TokenPose, Li et al., 2021)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import layers, ops

from distilpose_keras.models.config import check_divisible
from distilpose_keras.models.layers import (
    TOKEN_INITIALIZER,
    sine_position_code,
    transformer_layer,
)
from distilpose_keras.models.token_layers import AddPositions, PrependTokens
from distilpose_keras.types import Tensor

if TYPE_CHECKING:
    from distilpose_keras.models.config import PoseConfig

POSITION_KEY = "pos_embedding"  # computed from the sizes, but stored by PyTorch


@dataclass(frozen=True)
class TokenTransformer:
    """Sizes of the transformer; the defaults are the paper's.

    Attributes:
        patch_size: (height, width) of a visual token on the feature map.
        dim: D, channels of a token.
        layers: transformer layers.
        heads: attention heads.
        mlp_ratio: hidden over outer channels of the MLPs.
        blocks: transformers in a row that share the layers; the keypoint tokens of
            each are read.
    """

    patch_size: tuple[int, int] = (4, 3)
    dim: int = 192
    layers: int = 12
    heads: int = 8
    mlp_ratio: int = 3
    blocks: int = 1

    def __post_init__(self):
        """Check that the channels divide."""
        check_divisible("dim", [self.dim], [self.heads])
        check_divisible("dim", [self.dim], [4])
        check_divisible("layers", [self.layers], [self.blocks])

    def patch_in_image(self, stride: int) -> tuple[int, int]:
        """Return (height, width) of a visual token in pixels of the image."""
        return stride * self.patch_size[0], stride * self.patch_size[1]

    def grid(self, feature_size: tuple[int, int]) -> tuple[int, int]:
        """Return (rows, columns) of visual tokens on a feature map."""
        height, width = feature_size
        return height // self.patch_size[0], width // self.patch_size[1]


def tokens(
    features: Tensor, transformer: TokenTransformer, num_keypoints: int, *, name: str
) -> tuple[Tensor, Tensor]:
    """Run the transformer over keypoint tokens and patches of the features.

    The position code is added before the first layer and again before every later
    one, but for the first of a later transformer in a row; no norm follows the last.
    These are the tokens that are distilled.

    Args:
        features: (B, H / S, W / S, C).
        transformer: `TokenTransformer`.
        num_keypoints: K.
        name: published prefix of the head.

    Returns:
        keypoint_tokens (B, K, D), visual_tokens (B, P, D). Of several transformers in
        a row the keypoint tokens are (B, K, blocks * D), the last ones last.
    """
    dim, k = transformer.dim, num_keypoints
    rows, columns = transformer.grid(features.shape[1:3])
    # A linear map of each (row, column, channel) patch is a strided convolution.
    x = layers.Conv2D(
        dim,
        transformer.patch_size,
        strides=transformer.patch_size,
        kernel_initializer=keras.initializers.get(TOKEN_INITIALIZER),
        name=f"{name}-patch_to_embedding",
    )(features)
    x = ops.reshape(x, (-1, rows * columns, dim))  # (B, P, D)
    x = PrependTokens(k, name=name)(x)  # (B, K + P, D)
    per_block = transformer.layers // transformer.blocks
    read = []
    for i in range(transformer.layers):
        if i == 0 or i % per_block:
            x = AddPositions((rows, columns), name=f"{name}-positions-{i}")(x)
        x = transformer_layer(
            x,
            transformer.heads,
            transformer.mlp_ratio,
            name=f"{name}-transformer-layers-{i}",
        )
        if (i + 1) % per_block == 0:
            read.append(x[:, :k])
    keypoint_tokens = read[0] if len(read) == 1 else ops.concatenate(read, axis=-1)
    return keypoint_tokens, x[:, k:]


def check_token_input(config: Any, strides=(4,)) -> None:
    """Raise a ValueError unless the input of a token model divides into patches.

    Args:
        config: a `PoseConfig` with a `backbone` and a `transformer`.
        strides: that the backbone may have.
    """
    stride = config.backbone.stride
    if stride not in strides:
        known = " or ".join(map(str, strides))
        raise ValueError(
            f"a token head needs a backbone of stride {known}. "
            f"Received: {type(config.backbone).__name__} of stride {stride}"
        )
    divisor = config.backbone.divisor
    check_divisible("input_size", config.input_size, (divisor, divisor))
    patch = config.transformer.patch_in_image(stride)
    check_divisible("input_size", config.input_size, patch)


def without_positions(state: dict[str, Any], config: "PoseConfig") -> dict[str, Any]:
    """Drop stored position codes from a checkpoint: they are computed.

    Args:
        state: dict from published key to array.
        config: of the model, with a `backbone` and a `transformer`.

    Raises:
        ValueError: if one is not the code that the model computes.
    """
    stride, transformer = config.backbone.stride, config.transformer
    grid = transformer.grid(tuple(n // stride for n in config.input_size))
    code = sine_position_code(*grid, transformer.dim)[None]
    stored = [key for key in state if key.endswith(f".{POSITION_KEY}")]
    for key in stored:
        shape = tuple(state[key].shape)
        if shape != code.shape or not np.allclose(state[key], code, atol=1e-4):
            raise ValueError(
                f"{key} is not the 2D sine code {code.shape} that {config.name} uses. "
                f"Received: {shape}"
            )
    return {key: value for key, value in state.items() if key not in stored}
