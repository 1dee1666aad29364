"""The losses of RLE: the negative logarithm of the likelihood of the labels.

Li et al., "Human Pose Regression with Residual Log-likelihood Estimation" (ICCV 2021).
A network predicts where a keypoint is and how sure it is of each coordinate, sigma.
Its density at the label is that of the error in units of sigma: a base density Q times
what a flow has learned to correct it by (section 3.3, the residual log-likelihood).

Legend: B samples, K keypoints. Keypoints, targets and sigmas are in one unit, that of
the crop's width and height; the origin does not matter. Every loss is a sum over
keypoints and coordinates, hidden ones left out, and a mean over samples: it is not
divided by the number of labelled keypoints. With ``sample_weight`` (B,) the mean is
over ``sample_weight * loss of the sample``.
"""

import math

import keras
from keras import ops

from distilpose_keras.losses.flow import RealNVP
from distilpose_keras.losses.means import as_float32, mean_of_sums

EPSILON = 1e-9  # published code: keeps divisions by sigma finite


def rle_loss(keypoints, sigmas, targets, weights, flow, *, sample_weight=None):
    """The loss of the authors' code.

    Its base density has the constant of a Gaussian and the form of a Laplacian:
    -log Q = log(sigma sqrt(2 pi)) + |target - keypoint| / (sqrt(2) sigma).

    Args:
        keypoints: (B, K, 2) predictions.
        sigmas: (B, K, 2) predictions, above 0.
        targets: (B, K, 2) ground truth.
        weights: (B, K, 1) 1 for a labelled keypoint, 0 otherwise.
        flow: `RealNVP`, or another function from (B, K, 2) errors in sigmas to their
            log densities (B, K).
        sample_weight: optional (B,).
    """
    keypoints, sigmas, targets = as_float32(keypoints, sigmas, targets)
    base = ops.log(sigmas * math.sqrt(2 * math.pi))
    base = base + ops.abs(targets - keypoints) / (math.sqrt(2) * sigmas + EPSILON)
    errors = (keypoints - targets) / sigmas
    return _residual_loss(base, errors, sigmas, weights, flow, sample_weight)


def rle_laplace_loss(keypoints, sigmas, targets, weights, flow, *, sample_weight=None):
    """The loss of mmpose, with a Laplacian base density; arguments as `rle_loss`.

    -log Q = log(2 sigma) + |error|, the error in sigmas.
    """
    errors, sigmas = _errors_in_sigmas(keypoints, sigmas, targets)
    base = ops.log(2 * sigmas) + ops.abs(errors)
    return _residual_loss(base, errors, sigmas, weights, flow, sample_weight)


def rle_gaussian_loss(keypoints, sigmas, targets, weights, flow, *, sample_weight=None):
    """The loss of mmpose, with a Gaussian base density; arguments as `rle_loss`.

    -log Q = log(sigma sqrt(2 pi)) + error^2 / 2, the error in sigmas.
    """
    errors, sigmas = _errors_in_sigmas(keypoints, sigmas, targets)
    base = ops.log(sigmas * math.sqrt(2 * math.pi)) + 0.5 * ops.square(errors)
    return _residual_loss(base, errors, sigmas, weights, flow, sample_weight)


def _errors_in_sigmas(keypoints, sigmas, targets):
    keypoints, sigmas, targets = as_float32(keypoints, sigmas, targets)
    return (keypoints - targets) / (sigmas + EPSILON), sigmas


def _residual_loss(base, errors, sigmas, weights, flow, sample_weight):
    """Sum of the base term and the flow's, log(sigma) - log_density(error).

    The density of a keypoint counts once for each of its coordinates, as published.
    """
    (weights,) = as_float32(weights)
    residual = ops.log(sigmas) - flow(errors)[..., None]  # (B, K, 2)
    return mean_of_sums((residual + base) * weights, sample_weight)


@keras.saving.register_keras_serializable("distilpose_keras")
class RLELoss(keras.layers.Layer):
    """`rle_loss` as a `LabelLoss`, with the flow that is trained along.

    The flow belongs to the loss: no model holds its weights.
    """

    terms = ("rle",)
    likelihood = staticmethod(rle_loss)

    def __init__(self, **kwargs):
        """Make the loss with a fresh flow."""
        super().__init__(**{"dtype": "float32", **kwargs})
        self.flow = RealNVP(name="flow")
        self.built = True  # the flow has its weights: nothing is left to trace

    def call(self, outputs, targets, sample_weight=None):
        """Return the term `rle`."""
        loss = self.likelihood(
            outputs["keypoints"],
            outputs["sigmas"],
            targets["keypoints"],
            targets["weights"],
            self.flow,
            sample_weight=sample_weight,
        )
        return {"rle": loss}


@keras.saving.register_keras_serializable("distilpose_keras")
class LaplaceRLELoss(RLELoss):
    """`rle_laplace_loss` as a `LabelLoss`, with its flow."""

    likelihood = staticmethod(rle_laplace_loss)
