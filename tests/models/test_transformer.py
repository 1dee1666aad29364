"""The transformer of tokens: what enters it, and what a checkpoint stores of it."""

import numpy as np
import pytest

from distilpose_keras.models.layers import sine_position_code
from distilpose_keras.models.presets import MODELS
from distilpose_keras.models.transformer import (
    TokenTransformer,
    tokens,
    without_positions,
)
from tests.models.heads import features, model_of, predict, weights_of


@pytest.mark.backend
def test_visual_tokens_are_linear_maps_of_patches_row_by_row():
    array = features()
    transformer = TokenTransformer(patch_size=(4, 2), dim=16, layers=0)
    model = model_of(lambda x: tokens(x, transformer, 17, name="head"), array)
    keypoint_tokens, visual_tokens = predict(model, array)
    kernel, bias = weights_of(model, "head-patch_to_embedding")
    kernel = kernel.reshape(-1, 16)  # rows, columns, channels
    expected = [
        array[:, row : row + 4, column : column + 2].reshape(2, -1) @ kernel + bias
        for row in (0, 4)
        for column in (0, 2, 4)
    ]
    np.testing.assert_allclose(visual_tokens, np.stack(expected, axis=1), atol=1e-5)
    (learned,) = weights_of(model, "head")
    np.testing.assert_array_equal(keypoint_tokens, np.repeat(learned, 2, axis=0))


def test_a_stored_position_code_must_be_the_computed_one():
    config = MODELS["distilpose_s"]
    code = sine_position_code(16, 16, 192)[None]
    state = {"head.pos_embedding": code, "head.weight": np.ones(3)}
    assert list(without_positions(state, config)) == ["head.weight"]
    state["head.pos_embedding"] = code + 1e-3
    with pytest.raises(ValueError, match="head.pos_embedding is not the 2D sine code"):
        without_positions(state, config)
