"""Decoding as a layer, so that what it consists of has one name in exported files."""

import keras
from keras import layers

from distilpose_keras.models.layers import PACKAGE

NAME = "decode"


@keras.saving.register_keras_serializable(PACKAGE)
class Decode(layers.Layer):
    """Maps a model's outputs to `keypoints` (B, K, 2) and `scores` (B, K, 1)."""

    def __init__(self, codec, name=NAME, **kwargs):
        """Make the layer; `codec` says how the outputs are read."""
        super().__init__(name=name, **kwargs)
        self.codec = codec

    def call(self, outputs):
        """Return the decoded tensors."""
        return self.codec.graph_decode(outputs)

    def get_config(self):
        """Return the constructor's arguments."""
        codec = keras.saving.serialize_keras_object(self.codec)
        return {**super().get_config(), "codec": codec}

    @classmethod
    def from_config(cls, config):
        """Make the layer that `get_config` describes."""
        codec = keras.saving.deserialize_keras_object(config.pop("codec"))
        return cls(codec, **config)
