"""Layers that compute in float32 what integers would give: fake quantization."""

import keras
import numpy as np
from keras import layers, ops

from distilpose_keras.export.integers import symmetric_range
from distilpose_keras.models.layers import PACKAGE
from distilpose_keras.quantization.tfmot import (
    BITS,
    activation_quantizer,
    build_quantizer,
    fixed_quantizer,
    weight_quantizer,
)


@keras.saving.register_keras_serializable(PACKAGE)
class FakeQuantize(layers.Layer):
    """Rounds activations to the values of an integer type; gradients pass through.

    In training an 8-bit range follows a moving average of the batches' extremes, until
    it is frozen. A 16-bit range stays as it was set. Values outside are clipped.

    Attributes:
        frozen: whether the range stays as it is in training. A change takes effect
            when the model is next compiled.
    """

    def __init__(
        self, num_bits=BITS, fixed_range=None, symmetric=False, frozen=None, **kwargs
    ):
        """Make the layer.

        Args:
            num_bits: 8 or 16.
            fixed_range: (low, high) that never changes, of 8 bits.
            symmetric: whether zero is the step 0 of int8, as it is of int16.
            frozen: whether the range stays; by default that of 16 bits does.
            **kwargs: of keras.layers.Layer.
        """
        super().__init__(**kwargs)
        self.num_bits = num_bits
        self.fixed_range = fixed_range
        self.symmetric = symmetric or num_bits > BITS
        self.frozen = num_bits > BITS if frozen is None else frozen

    def build(self, input_shape):
        """Make the variables of the range."""
        if self.fixed_range is None:
            self._quantizer = activation_quantizer(
                self.num_bits, symmetric=self.symmetric
            )
        else:
            self._quantizer = fixed_quantizer(*self.fixed_range)
        self._range = build_quantizer(self._quantizer, self, input_shape)

    def set_range(self, low, high):
        """Start from a range; a fixed one stays."""
        if self.fixed_range is None:
            if self.num_bits > BITS:
                high = max(high, -low)
                low = -high
            elif self.symmetric:
                low, high = symmetric_range(low, high)
            # The quantizers need 0 among their values.
            self.set_weights([np.float32(min(low, 0.0)), np.float32(max(high, 0.0))])

    def call(self, x, training=None):
        """Return the rounded values, same shape."""
        updates = bool(training) and not self.frozen
        return self._quantizer(x, updates, self._range)

    def compute_output_spec(self, x, training=None):
        """Same shape and type."""
        return keras.KerasTensor(x.shape, x.dtype)

    def get_config(self):
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "num_bits": self.num_bits,
            "fixed_range": self.fixed_range,
            "symmetric": self.symmetric,
            "frozen": self.frozen,
        }


class _FakeQuantizedKernel:
    """Mixin: the layer computes with a kernel rounded to int8, channel by channel."""

    def build(self, input_shape):
        """Make the weights, and the variables of the kernel's ranges."""
        super().build(input_shape)
        self._quantizer = weight_quantizer()
        self._ranges = build_quantizer(self._quantizer, self, self.kernel.shape)

    def save_own_variables(self, store):
        """Save the ranges too: the layers of Keras save kernel and bias alone."""
        layers.Layer.save_own_variables(self, store)

    def load_own_variables(self, store):
        """Load what was saved."""
        layers.Layer.load_own_variables(self, store)

    def rounded_kernel(self, training):
        """Return the kernel as int8 has it."""
        return self._quantizer(self.kernel.value, bool(training), self._ranges)

    def set_float_weights(self, kernel, bias):
        """Take over the weights of a float layer."""
        self.kernel.assign(kernel)
        self.bias.assign(bias)
        self.rounded_kernel(training=True)


@keras.saving.register_keras_serializable(PACKAGE)
class FakeQuantizedConv2D(_FakeQuantizedKernel, layers.Conv2D):
    """A convolution with bias and a fake-quantized kernel."""

    def call(self, x, training=None):
        """Return the features, activated."""
        y = self.convolution_op(x, self.rounded_kernel(training))
        return self.activation(y + self.bias)


@keras.saving.register_keras_serializable(PACKAGE)
class FakeQuantizedDense(_FakeQuantizedKernel, layers.Dense):
    """A linear map with bias and a fake-quantized kernel."""

    def call(self, x, training=None):
        """Return the mapped last axis."""
        return ops.matmul(x, self.rounded_kernel(training)) + self.bias
