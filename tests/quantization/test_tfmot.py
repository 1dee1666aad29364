"""The quantizers of tensorflow-model-optimization inside Keras 3 layers."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from distilpose_keras.quantization import tfmot


def layer_with(quantizer, shape):
    layer = keras.layers.Layer(name="owner")
    return layer, tfmot.build_quantizer(quantizer, layer, shape)


def test_a_range_follows_the_extremes_of_the_batches():
    quantizer = tfmot.activation_quantizer(8, symmetric=False)
    layer, weights = layer_with(quantizer, (None, 3))
    layer.set_weights([np.float32(-1), np.float32(2)])
    quantizer(tf.constant([[-3.0, 0, 8]]), True, weights)
    low, high = layer.get_weights()
    # The moving average moves by a thousandth: -1 + (-3 - -1) / 1000.
    assert low == pytest.approx(-1.002, abs=1e-6)
    assert high == pytest.approx(2.006, abs=1e-6)


def test_a_range_stays_outside_of_training():
    quantizer = tfmot.activation_quantizer(8, symmetric=False)
    layer, weights = layer_with(quantizer, (None, 3))
    layer.set_weights([np.float32(-1), np.float32(2)])
    quantizer(tf.constant([[-3.0, 0, 8]]), False, weights)
    assert layer.get_weights() == [-1, 2]


def test_weights_are_rounded_channel_by_channel():
    kernel = tf.constant([[0.5, -100.0], [-1.27, 30.0], [0.013, 127.0]])
    quantizer = tfmot.weight_quantizer()
    _, weights = layer_with(quantizer, kernel.shape)
    rounded = quantizer(kernel, True, weights)
    # Steps of 0.01 and of 1: the largest magnitude is 127 steps.
    expected = [[0.5, -100.0], [-1.27, 30.0], [0.01, 127.0]]
    np.testing.assert_allclose(rounded, expected, atol=1e-5)


def test_ranges_are_weights_of_the_layer_that_are_not_trained():
    layer, _ = layer_with(tfmot.weight_quantizer(), (3, 3, 8, 5))
    assert [tuple(w.shape) for w in layer.non_trainable_weights] == [(5,), (5,)]
    assert layer.trainable_weights == []


def test_a_missing_package_is_named_with_the_way_to_get_it(monkeypatch):
    name = "tensorflow_model_optimization"
    for module in [m for m in sys.modules if m.split(".")[0] == name]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ModuleNotFoundError, match=r"distilpose-keras\[qat\]"):
        tfmot.weight_quantizer()


def test_another_backend_is_refused(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ValueError, match="KERAS_BACKEND=tensorflow. Received: jax"):
        tfmot.weight_quantizer()


def test_the_environment_stays_as_it_was():
    tfmot.weight_quantizer()
    assert "TF_USE_LEGACY_KERAS" not in os.environ


def test_other_users_of_tensorflow_keep_keras_3():
    code = (
        "from distilpose_keras.quantization import tfmot; "
        "tfmot.weight_quantizer(); "
        "import tensorflow as tf; print(tf.keras.__version__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == keras.__version__, done.stderr
