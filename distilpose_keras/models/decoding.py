"""Decoding as a layer, so that what it consists of has one name in exported files."""

from typing import TYPE_CHECKING, Any

import keras
from keras import layers

from distilpose_keras.models.layers import PACKAGE
from distilpose_keras.types import Tensor

if TYPE_CHECKING:
    from distilpose_keras.codecs.codec import Codec

NAME = "decode"


@keras.saving.register_keras_serializable(PACKAGE)
class Decode(layers.Layer):
    """Maps a model's outputs to `keypoints` (B, K, 2) and `scores` (B, K, 1)."""

    def __init__(self, codec: "Codec", name: str = NAME, **kwargs: Any) -> None:
        """Make the layer; `codec` says how the outputs are read."""
        super().__init__(name=name, **kwargs)
        self.codec = codec

    def call(self, outputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the decoded tensors."""
        return self.codec.graph_decode(outputs)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        codec = keras.saving.serialize_keras_object(self.codec)
        return {**super().get_config(), "codec": codec}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Decode":
        """Make the layer that `get_config` describes."""
        codec = keras.saving.deserialize_keras_object(config.pop("codec"))
        return cls(codec, **config)
