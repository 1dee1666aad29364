"""Fake quantization: rounded values, gradients that pass, ranges that freeze."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from distilpose_keras.quantization.layers import (
    FakeQuantize,
    FakeQuantizedConv2D,
    FakeQuantizedDense,
)


def rounding(num_bits=8, low=-1.0, high=2.0, **kwargs):
    layer = FakeQuantize(num_bits, **kwargs)
    layer.build((None, 4))
    layer.set_range(low, high)
    return layer


def test_values_are_rounded_to_256_levels_and_clipped():
    x = np.linspace(-2, 3, 5001).astype("float32")
    y = np.array(rounding()(x))
    step = 3 / 255
    assert len(np.unique(y)) == 256
    assert 0 in y
    inside = (x > -1) & (x < 2)
    assert np.abs(y - x)[inside].max() <= step / 2 + 1e-6
    assert y.min() == pytest.approx(-1, abs=step)
    assert y.max() == pytest.approx(2, abs=step)


def test_gradients_pass_inside_of_the_range_alone():
    x = tf.constant([-3.0, -0.5, 0.1, 1.9, 5.0])
    layer = rounding()
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x)
    np.testing.assert_array_equal(tape.gradient(y, x), [0, 1, 1, 1, 0])


def test_training_moves_a_range_until_it_is_frozen():
    layer, x = rounding(), np.float32([-9, 9])
    layer(x, training=True)
    moved = layer.get_weights()
    assert moved[0] < -1 and moved[1] > 2
    layer.frozen = True
    layer(x, training=True)
    assert layer.get_weights() == moved


def test_16_bits_have_zero_in_the_middle_and_room_that_training_leaves_alone():
    layer = rounding(16, -1.0, 2.0)
    low, high = layer.get_weights()
    assert low == -high and high >= 2
    layer(np.float32([-9, 9]), training=True)
    assert layer.get_weights() == [low, high]
    x = np.linspace(-2, 2, 999).astype("float32")
    assert np.abs(np.array(layer(x)) - x).max() <= 1.02 * high / 65535


def test_a_fixed_range_is_that_of_the_kernels():
    layer = rounding(fixed_range=(0.0, 255 / 256))
    x = np.float32([0, 0.001, 0.499, 1])
    np.testing.assert_allclose(layer(x), np.float32([0, 0, 128, 255]) / 256, atol=1e-7)


def test_a_range_includes_zero():
    layer = rounding(low=0.5, high=2.0)
    assert layer.get_weights()[0] == 0


@pytest.mark.parametrize(
    "fake, plain, shape",
    [
        (
            FakeQuantizedConv2D(6, 3, strides=2, padding="same", activation="relu"),
            keras.layers.Conv2D(6, 3, strides=2, padding="same", activation="relu"),
            (2, 8, 8, 5),
        ),
        (FakeQuantizedDense(6), keras.layers.Dense(6), (2, 7, 5)),
    ],
    ids=["convolution", "linear map"],
)
def test_a_layer_computes_with_its_rounded_kernel(fake, plain, shape):
    x = np.random.default_rng(0).normal(size=shape).astype("float32")
    plain.build(shape)
    fake.build(shape)
    kernel = np.array(plain.kernel)
    steps = np.abs(kernel).max(axis=tuple(range(kernel.ndim - 1))) / 127
    bias = np.arange(6, dtype="float32") / 10
    fake.set_float_weights(kernel, bias)
    plain.set_weights([np.rint(kernel / steps) * steps, bias])
    np.testing.assert_allclose(fake(x), plain(x), atol=1e-4)
    np.testing.assert_array_equal(fake.kernel, kernel)


def test_the_float_kernel_is_what_is_trained():
    layer = FakeQuantizedDense(3)
    layer.build((None, 4))
    with tf.GradientTape() as tape:
        loss = keras.ops.sum(layer(np.ones((2, 4), "float32"), training=True))
    gradients = tape.gradient(loss, [w.value for w in layer.trainable_weights])
    assert [w.name for w in layer.trainable_weights] == ["kernel", "bias"]
    np.testing.assert_array_equal(gradients[0], np.full((4, 3), 2.0))


def test_training_keeps_zero_at_step_0_of_a_symmetric_range():
    layer = rounding(low=-1.0, high=2.0, symmetric=True)
    assert layer.get_weights() == pytest.approx([-2 * 128 / 127, 2])
    layer(np.float32([-9, 4]), training=True)
    low, high = layer.get_weights()
    assert low < -2 * 128 / 127 - 1e-4  # the batch's -9 has moved it
    assert -low / high == pytest.approx(1, abs=0.01)
