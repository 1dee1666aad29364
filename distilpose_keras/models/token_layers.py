"""Layers that put tokens and position codes to a sequence of tokens."""

from typing import Any

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import ArrayLike

from distilpose_keras.models.layers import (
    PACKAGE,
    TOKEN_INITIALIZER,
    sine_position_code,
)
from distilpose_keras.types import Tensor


@keras.saving.register_keras_serializable(PACKAGE)
class PrependTokens(layers.Layer):
    """Puts K learned keypoint tokens before the visual tokens.

    Maps (B, P, D) to (B, K + P, D).
    """

    def __init__(self, num_tokens: int, **kwargs: Any) -> None:
        """Make the layer; `num_tokens` is K."""
        super().__init__(**kwargs)
        self.num_tokens = num_tokens

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Add the (1, K, D) tokens."""
        self.tokens = self.add_weight(
            name="keypoint_token",
            shape=(1, self.num_tokens, input_shape[-1]),
            initializer=keras.initializers.get(TOKEN_INITIALIZER),
        )

    def call(self, visual_tokens: Tensor) -> Tensor:
        """Return keypoint tokens and visual tokens as one sequence."""
        batch, _, dim = ops.shape(visual_tokens)
        tokens = ops.cast(self.tokens, visual_tokens.dtype)
        tokens = ops.broadcast_to(tokens, (batch, self.num_tokens, dim))
        return ops.concatenate([tokens, visual_tokens], axis=1)

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        """(B, K + P, D) of (B, P, D)."""
        batch, count, dim = input_shape
        return batch, None if count is None else count + self.num_tokens, dim

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "num_tokens": self.num_tokens}


@keras.saving.register_keras_serializable(PACKAGE)
class AddPositions(layers.Layer):
    """Adds the sine position code to the last rows * columns tokens.

    Maps (B, N, D) to (B, N, D); tokens before the last rows * columns stay.
    """

    def __init__(self, grid: tuple[int, int], **kwargs: Any) -> None:
        """Make the layer; `grid` is (rows, columns) of the visual tokens."""
        super().__init__(**kwargs)
        self.grid = tuple(grid)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Compute the code, zero for the keypoint tokens: (N, D)."""
        _, count, dim = input_shape
        code = sine_position_code(*self.grid, dim)
        self._code = np.pad(code, ((count - len(code), 0), (0, 0)))

    def call(self, tokens: Tensor) -> Tensor:
        """Return the tokens with their positions."""
        return tokens + ops.cast(self._code, tokens.dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "grid": self.grid}


@keras.saving.register_keras_serializable(PACKAGE)
class AddConstant(layers.Layer):
    """Adds a constant (N, D) array to (B, N, D) tokens."""

    def __init__(self, value: ArrayLike, **kwargs: Any) -> None:
        """Make the layer; `value` is the (N, D) array."""
        super().__init__(**kwargs)
        self._value = np.asarray(value, "float32")

    def call(self, tokens: Tensor) -> Tensor:
        """Return the tokens plus the constant."""
        return tokens + ops.cast(self._value, tokens.dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "value": self._value.tolist()}


@keras.saving.register_keras_serializable(PACKAGE)
class PrependConstant(layers.Layer):
    """Puts constant (K, D) tokens before (B, P, D) tokens."""

    def __init__(self, value: ArrayLike, **kwargs: Any) -> None:
        """Make the layer; `value` is the (K, D) array."""
        super().__init__(**kwargs)
        self._value = np.asarray(value, "float32")

    def call(self, tokens: Tensor) -> Tensor:
        """Return (B, K + P, D)."""
        value = ops.cast(self._value, tokens.dtype)[None]
        batch = ops.shape(tokens)[0]
        value = ops.broadcast_to(value, (batch, *self._value.shape))
        return ops.concatenate([value, tokens], axis=1)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "value": self._value.tolist()}
