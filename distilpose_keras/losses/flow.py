"""The normalizing flow of RLE: what distribution the errors of a network have.

Li et al., "Human Pose Regression with Residual Log-likelihood Estimation" (ICCV 2021),
section 3.2, with the RealNVP of Dinh et al. (ICLR 2017). The flow has weights, which
are trained with the network; only the loss needs it, an inference model does not.
"""

import math

import keras
import numpy as np
from keras import ops

# Published code: six affine couplings, each of two nets of three linear maps.
COUPLINGS = 6
HIDDEN = 64
NETS = ("s", "t")  # the logarithm of the scale, and the shift
LINEAR_INDICES = (0, 2, 4)  # of the linear maps in a published net
LEAK = 0.01  # slope of PyTorch's leaky ReLU below zero


@keras.saving.register_keras_serializable("distilpose_keras")
class RealNVP(keras.layers.Layer):
    """Density of points in the plane: maps (..., 2) to log densities (...).

    Coupling i leaves one coordinate alone (y for even i, x for odd i) and scales and
    shifts the other by amounts that two nets read from it. The nets of all couplings
    are stacked: 6 variables, where the published module has 72, and three matrix
    products a coupling. Computes in float32 under every precision policy.

    Attributes:
        prior_mean: both coordinates of the mean of the normal distribution that the
            points are mapped to; its covariance is the identity.
    """

    def __init__(self, prior_mean=0.0, **kwargs):
        """Make the flow, with weights as PyTorch initialises linear maps.

        Args:
            prior_mean: 0 for RLE, 0.5 for Poseur.
            **kwargs: of keras.layers.Layer.
        """
        super().__init__(**{"dtype": "float32", **kwargs})
        self.prior_mean = prior_mean
        widths = (2, HIDDEN, HIDDEN, 2)
        self.linears = [
            self._linear(*sizes, index)
            for index, *sizes in zip(
                LINEAR_INDICES, widths[:-1], widths[1:], strict=True
            )
        ]

    def _linear(self, inputs, outputs, index):
        """Kernel (couplings, nets, in, out) and bias (couplings, nets, 1, out)."""
        stack = (COUPLINGS, len(NETS))
        bound = 1 / math.sqrt(inputs)

        def add(name, shape):
            initializer = keras.initializers.RandomUniform(-bound, bound)
            return self.add_weight(
                name=f"{name}_{index}", shape=(*stack, *shape), initializer=initializer
            )

        return add("kernel", (inputs, outputs)), add("bias", (1, outputs))

    def call(self, points):
        """Return the log density of each point."""
        points = ops.cast(points, "float32")
        z = ops.reshape(points, (-1, 2))
        log_det = 0.0
        for i in reversed(range(COUPLINGS)):
            kept = ops.convert_to_tensor([0.0, 1.0] if i % 2 == 0 else [1.0, 0.0])
            h = kept * z
            read = self._nets(h, i)
            log_scale, shift = ops.tanh(read[0]) * (1 - kept), read[1]
            z = (1 - kept) * (z - shift) * ops.exp(-log_scale) + h
            log_det = log_det - ops.sum(log_scale, axis=-1)
        squared = ops.sum(ops.square(z - self.prior_mean), axis=-1)
        log_density = log_det - 0.5 * squared - math.log(2 * math.pi)
        return ops.reshape(log_density, ops.shape(points)[:-1])

    def _nets(self, h, coupling):
        """Both nets of one coupling: (N, 2) to (nets, N, 2)."""
        x = h[None]
        for depth, (kernel, bias) in enumerate(self.linears):
            if depth:
                x = ops.leaky_relu(x, LEAK)
            x = ops.matmul(x, kernel[coupling]) + bias[coupling]
        return x

    def compute_output_shape(self, input_shape):
        """(...) of (..., 2)."""
        return tuple(input_shape[:-1])

    def load_published(self, state_dict, prefix="flow."):
        """Fill the weights from a published PyTorch checkpoint.

        Args:
            state_dict: dict of PyTorch keys to arrays.
            prefix: of the flow's keys, such as ``keypoint_head.enc_flow.``.

        Raises:
            KeyError: if a key is missing.
        """
        for index, (kernel, bias) in zip(LINEAR_INDICES, self.linears, strict=True):
            names = [
                [f"{prefix}{net}.{i}.{index}" for net in NETS] for i in range(COUPLINGS)
            ]
            kernel.assign(
                np.array([[state_dict[f"{n}.weight"].T for n in row] for row in names])
            )
            bias.assign(
                np.array(
                    [[state_dict[f"{n}.bias"][None] for n in row] for row in names]
                )
            )

    def get_config(self):
        """Return the constructor's arguments."""
        return {**super().get_config(), "prior_mean": self.prior_mean}
