"""Plain vision transformer (Dosovitskiy et al., 2021), as ViTPose uses it."""

from dataclasses import dataclass
from typing import ClassVar

import keras
import numpy as np
from keras import layers, ops

from distilpose_keras.models.layers import (
    PACKAGE,
    TOKEN_INITIALIZER,
    attend,
    dense,
    gelu,
    layer_norm,
)

EPSILON = 1e-6  # of the layer-norms, in the published code of vision transformers
PATCH = 16  # pixels of the image to each side
KNOWLEDGE = "backbone-knowledge"  # the layer with the knowledge token
PADDING = 2  # zeros around the image, so that the first patch begins outside


@dataclass(frozen=True)
class ViT:
    """Pre-norm transformer layers over patches of 16x16 pixels; `dim` channels.

    Attributes:
        dim: D, channels of a token.
        depth: layers.
        heads: attention heads.
        mlp_ratio: hidden over outer channels of the MLPs.
        drop_path: probability, in training, that a sample skips a branch of the last
            layer; it grows linearly from 0 in the first.
        knowledge_dim: channels of the knowledge token that all layers see beside the
            patches, those of the teacher that it comes from; 0 for none.
    """

    dim: int = 768
    depth: int = 12
    heads: int = 12
    mlp_ratio: int = 4
    drop_path: float = 0.0
    knowledge_dim: int = 0

    stride: ClassVar[int] = PATCH
    divisor: ClassVar[int] = PATCH

    def __post_init__(self):
        """Check that the channels divide among the heads."""
        if self.heads <= 0 or self.dim <= 0 or self.dim % self.heads:
            raise ValueError(
                f"dim must be a multiple of {self.heads} heads. Received: {self.dim}"
            )

    def __call__(self, images):
        """Map (B, H, W, 3) to (B, H / 16, W / 16, dim)."""
        x = layers.Conv2D(
            self.dim,
            PATCH,
            strides=PATCH,
            kernel_initializer=keras.initializers.get(TOKEN_INITIALIZER),
            name="backbone-patch_embed-proj",
        )(layers.ZeroPadding2D(PADDING)(images))
        rows, columns = x.shape[1:3]
        x = ops.reshape(x, (-1, rows * columns, self.dim))  # (B, P, D)
        x = LearnedPositions(name="backbone")(x)
        if self.knowledge_dim:
            x = KnowledgeToken(self.knowledge_dim, name=KNOWLEDGE)(x)
        for i, rate in enumerate(np.linspace(0, self.drop_path, self.depth)):
            x = self._layer(x, float(rate), name=f"backbone-blocks-{i}")
        x = layer_norm(x, "backbone-last_norm", epsilon=EPSILON)
        if self.knowledge_dim:
            x = x[:, :-1]
        return ops.reshape(x, (-1, rows, columns, self.dim))

    def _layer(self, tokens, drop_path, *, name):
        """Attention, then an MLP, each added to its input (B, P, D)."""
        x = layer_norm(tokens, f"{name}-norm1", epsilon=EPSILON)
        x = dense(x, 3 * self.dim, f"{name}-attn-qkv")
        queries, keys, values = ops.split(x, 3, axis=-1)
        queries = queries * (self.dim // self.heads) ** -0.5
        x = attend(queries, keys, values, self.heads, name=f"{name}-attn-softmax")
        x = dense(x, self.dim, f"{name}-attn-proj")
        tokens = tokens + _dropped(x, drop_path, f"{name}-attn-drop_path")

        x = layer_norm(tokens, f"{name}-norm2", epsilon=EPSILON)
        x = gelu(dense(x, self.mlp_ratio * self.dim, f"{name}-mlp-fc1"))
        x = dense(x, self.dim, f"{name}-mlp-fc2")
        return tokens + _dropped(x, drop_path, f"{name}-mlp-drop_path")


def _dropped(x, rate, name):
    """Leave out a branch (B, P, D) for some samples, in training."""
    if not rate:
        return x
    return layers.Dropout(rate, noise_shape=(None, 1, 1), name=name)(x)


@keras.saving.register_keras_serializable(PACKAGE)
class LearnedPositions(layers.Layer):
    """Adds a learned position code to (B, P, D) tokens.

    The code has one row more than there are tokens: the first, which was a class
    token's, is added to all of them.
    """

    def build(self, input_shape):
        """Add the (1, 1 + P, D) code."""
        _, count, dim = input_shape
        self.pos_embed = self.add_weight(
            name="pos_embed",
            shape=(1, 1 + count, dim),
            initializer=keras.initializers.get(TOKEN_INITIALIZER),
        )

    def call(self, tokens):
        """Return the tokens with their positions."""
        # One constant in an exported file: the sum of both is computed first.
        code = self.pos_embed[:, 1:] + self.pos_embed[:, :1]
        return tokens + ops.cast(code, tokens.dtype)


@keras.saving.register_keras_serializable(PACKAGE)
class KnowledgeToken(layers.Layer):
    """Appends a token that carries what a teacher knows (ViTPose, section 3.4).

    It has no position, and comes last: the token in the width of the teacher, mapped to
    that of the tokens where they differ. In a student the token stays as it is and the
    map is learned.

    Attributes:
        token: (1, 1, dim).
        projection: (dim, D), or None where D is dim.
    """

    def __init__(self, dim, **kwargs):
        """Take the channels of the token."""
        super().__init__(**kwargs)
        self.dim = dim

    def build(self, input_shape):
        """Add the token, and its map to the channels of (B, P, D)."""
        initializer = keras.initializers.get(TOKEN_INITIALIZER)
        self.token = self.add_weight(
            name="token", shape=(1, 1, self.dim), initializer=initializer
        )
        # Not as it is made: TensorFlow would never learn it, in a teacher either.
        self.token.trainable = False
        self.projection = None
        if input_shape[-1] != self.dim:
            self.projection = self.add_weight(
                name="projection",
                shape=(self.dim, input_shape[-1]),
                initializer=initializer,
            )

    def call(self, tokens):
        """Map (B, P, D) to (B, P + 1, D)."""
        token = ops.convert_to_tensor(self.token)
        if self.projection is not None:
            token = ops.matmul(token, self.projection)
        # Zeros of each sample's own: no number of samples is asked for.
        last = 0 * tokens[:, :1] + ops.cast(token, tokens.dtype)
        return ops.concatenate([tokens, last], axis=1)

    def get_config(self):
        """Return the constructor's arguments."""
        return {**super().get_config(), "dim": self.dim}
