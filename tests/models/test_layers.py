"""Building blocks against plain NumPy."""

import math

import keras
import numpy as np
import pytest

from distilpose_keras.models.layers import attend, gelu, pad_for, sine_position_code


def as_numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


@pytest.mark.backend
def test_gelu_is_the_exact_one():
    x = np.linspace(-4, 4, 33, dtype="float32")
    expected = [v * 0.5 * (1 + math.erf(v / math.sqrt(2))) for v in x.tolist()]
    found = as_numpy(gelu(keras.ops.convert_to_tensor(x)))
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_the_position_code_encodes_y_before_x():
    # Positions 1 and 2 of 2 rows become pi and 2 pi; a single column 2 pi. The first
    # two of four channels have wavelength 1, the others 1e4 ** 0.5.
    code = sine_position_code(2, 1, 8)
    angles = np.array([[np.pi, np.pi / 100], [2 * np.pi, 2 * np.pi / 100]])
    y = np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(2, 4)
    np.testing.assert_allclose(code[:, :4], y, atol=1e-5)
    np.testing.assert_allclose(code[:, 4:], [y[1], y[1]], atol=1e-5)


def test_the_position_code_is_in_row_major_order():
    code = sine_position_code(3, 4, 8).reshape(3, 4, 8)
    for row in range(3):
        assert (code[row, :, :4] == code[row, 0, :4]).all()
    for column in range(4):
        assert (code[:, column, 4:] == code[0, column, 4:]).all()


@pytest.mark.backend
def test_attention_equals_the_sum_over_keys():
    rng = np.random.default_rng(0)
    heads, dim = 2, 6
    queries = rng.normal(size=(2, 3, dim)).astype("float32")
    keys, values = rng.normal(size=(2, 2, 5, dim)).astype("float32")
    inputs = [keras.Input(x.shape[1:]) for x in (queries, keys, values)]
    layer = keras.Model(inputs, attend(*inputs, heads, name="softmax"))
    expected = np.zeros((2, 3, dim))
    for b in range(2):
        for channels in (slice(0, 3), slice(3, 6)):  # of the first and second head
            for q in range(3):
                logits = keys[b, :, channels] @ queries[b, q, channels]
                weights = np.exp(logits) / np.exp(logits).sum()
                expected[b, q, channels] = weights @ values[b, :, channels]
    actual = as_numpy(layer([queries, keys, values]))
    np.testing.assert_allclose(actual, expected, atol=1e-5)


def test_strided_convolutions_pad_both_sides():
    image = np.ones((1, 4, 4, 1), "float32")
    padded, padding = pad_for(image, 3, 2)
    assert padding == "valid"
    assert as_numpy(padded)[0, :, :, 0].tolist() == np.pad(np.ones((4, 4)), 1).tolist()
    assert pad_for(image, 3, 1)[1] == "same"
    assert pad_for(image, 1, 2)[1] == "valid"
