"""Convolutions on PyTorch, without the copies that Keras makes around them."""

import keras
import numpy as np
import pytest

from distilpose_keras.training.workarounds import without_layout_copies

on_torch = pytest.mark.skipif(
    keras.backend.backend() != "torch", reason="other backends make no such copies"
)


@pytest.fixture
def plain(monkeypatch):
    """Keras' own function, brought back after the test."""
    from keras.src.backend.torch import nn

    own = nn._transpose_spatial_inputs
    while hasattr(own, "copied"):
        own = own.copied
    monkeypatch.setattr(nn, "_transpose_spatial_inputs", own)
    return nn


def small_network():
    keras.utils.set_random_seed(0)
    images = keras.Input((12, 10, 3))
    x = keras.layers.Conv2D(8, 3, strides=2, padding="same")(images)
    x = keras.layers.DepthwiseConv2D(5, padding="same", activation="relu")(x)
    x = keras.layers.MaxPooling2D(2)(x)
    x = keras.layers.Conv2DTranspose(4, 4, strides=2, padding="same")(x)
    x = keras.layers.AveragePooling2D(2, padding="same")(x)
    return keras.Model(images, keras.layers.Conv2D(2, 1)(x))


def losses_of_training():
    model = small_network()
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
    rng = np.random.default_rng(1)
    x = rng.normal(size=(4, 12, 10, 3)).astype("float32")
    y = rng.normal(size=(4, *model.output_shape[1:])).astype("float32")
    return model.fit(x, y, epochs=4, verbose=0, shuffle=False).history["loss"]


@on_torch
def test_training_is_the_same(plain):
    expected = losses_of_training()
    assert without_layout_copies()
    np.testing.assert_allclose(losses_of_training(), expected, rtol=1e-5)


@on_torch
def test_pictures_are_seen_where_they_lie(plain):
    import torch

    x = torch.zeros((2, 5, 4, 3))
    assert plain._transpose_spatial_inputs(x).data_ptr() != x.data_ptr()
    without_layout_copies()
    without_layout_copies()
    seen = plain._transpose_spatial_inputs(x)
    assert seen.shape == (2, 3, 5, 4)
    assert seen.data_ptr() == x.data_ptr()


@on_torch
def test_other_dimensions_are_as_keras_has_them(plain):
    import torch

    x = torch.arange(24.0).reshape(2, 4, 3)
    expected = plain._transpose_spatial_inputs(x)
    without_layout_copies()
    received = plain._transpose_spatial_inputs(x)
    assert received.is_contiguous()
    assert torch.equal(received, expected)


def test_other_backends_are_left_alone():
    expected = keras.backend.backend() == "torch"
    assert without_layout_copies() is expected
