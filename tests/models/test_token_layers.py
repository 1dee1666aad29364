"""Layers of tokens, by hand."""

import keras
import numpy as np

from distilpose_keras.models.layers import sine_position_code
from distilpose_keras.models.token_layers import (
    AddConstant,
    AddPositions,
    PrependConstant,
    PrependTokens,
)


def as_numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


def test_keypoint_tokens_come_first_and_get_no_position():
    patches = np.zeros((2, 4, 8), "float32")
    layer = PrependTokens(3)
    layer.build(patches.shape)
    layer.tokens.assign(np.ones((1, 3, 8)))
    sequence = as_numpy(AddPositions((2, 2))(layer(patches)))
    assert sequence.shape == (2, 7, 8)
    np.testing.assert_array_equal(sequence[:, :3], 1)
    np.testing.assert_array_equal(sequence[1, 3:], sine_position_code(2, 2, 8))


def test_constants_are_put_before_or_added_to_the_tokens_of_every_sample():
    tokens = np.arange(12, dtype="float32").reshape(2, 3, 2)
    code = np.array([[1, 2], [3, 4], [5, 6]], "float32")
    np.testing.assert_array_equal(as_numpy(AddConstant(code)(tokens)), tokens + code)
    first = np.array([[7, 8]], "float32")
    sequence = as_numpy(PrependConstant(first)(tokens))
    assert sequence.shape == (2, 4, 2)
    np.testing.assert_array_equal(sequence[:, 0], [[7, 8], [7, 8]])
    np.testing.assert_array_equal(sequence[:, 1:], tokens)
