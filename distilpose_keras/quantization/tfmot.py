"""The quantizers of tensorflow-model-optimization as parts of Keras 3 layers.

That package's own way to quantize a model is written for Keras 2 and refuses models of
Keras 3. Its quantizers are not: they are functions of TensorFlow tensors that keep
their ranges in variables, which they ask a layer for.
"""

import importlib
import os

import keras

BITS = 8
# int8 outputs of softmax and sigmoid have this range in every TFLite kernel.
PROBABILITY_RANGE = (0.0, 255 / 256)


def activation_quantizer(num_bits, *, symmetric):
    """Quantize by the moving averages of the smallest and largest value of a batch.

    Args:
        num_bits: 8 or 16.
        symmetric: whether zero is the step 0 of the integers.
    """
    return _quantizers().MovingAverageQuantizer(
        num_bits, per_axis=False, symmetric=symmetric, narrow_range=False
    )


def fixed_quantizer(low, high):
    """Quantize to 8 bits over a given range."""
    return _quantizers().FixedQuantizer(BITS, low, high, narrow_range=False)


def weight_quantizer():
    """Quantize to -127..127 by the largest magnitude of each output channel."""
    return _quantizers().LastValueQuantizer(
        BITS, per_axis=True, symmetric=True, narrow_range=True
    )


def build_quantizer(quantizer, layer, shape):
    """Make a quantizer's variables as weights of a Keras 3 layer.

    Args:
        quantizer: of this module.
        layer: the `keras.Layer` that will hold them, untrained.
        shape: of the tensors that will be quantized.

    Returns:
        What the quantizer wants back, as ``weights``, when it is called.
    """
    return quantizer.build(shape, "range", _WeightOwner(layer))


class _WeightOwner:
    """Answers `add_weight` as a layer of Keras 2 does."""

    def __init__(self, layer):
        self._layer = layer

    def add_weight(self, name, initializer, trainable, shape):
        """Return a `tf.Variable`; `shape` is a number of channels or None."""
        variable = self._layer.add_weight(
            name=name,
            shape=() if shape is None else (shape,),
            initializer=keras.initializers.Constant(initializer.value),
            trainable=trainable,
            autocast=False,
        )
        return variable.value


def _quantizers():
    """Import the package, which asks for TensorFlow as the backend of Keras.

    Raises:
        ModuleNotFoundError: one line, if it or its Keras 2 is not installed.
        ValueError: if Keras runs on another backend.
    """
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            "quantization-aware training needs KERAS_BACKEND=tensorflow. "
            f"Received: {keras.backend.backend()}"
        )
    # Settled before the import, which would settle on Keras 2 for this whole process.
    keras_of_tensorflow()
    legacy_keras = os.environ.get("TF_USE_LEGACY_KERAS")
    try:
        from tensorflow_model_optimization.quantization.keras import quantizers
    except ImportError as error:
        raise ModuleNotFoundError(
            "quantization-aware training needs tensorflow-model-optimization: "
            f"pip install 'distilpose-keras[qat]' ({error})"
        ) from error
    if legacy_keras is None:  # the import sets it
        os.environ.pop("TF_USE_LEGACY_KERAS", None)
    return quantizers


def keras_of_tensorflow():
    """Return the version of ``tf.keras``, which is loaded when it is first used."""
    return importlib.import_module("tensorflow").keras.__version__
