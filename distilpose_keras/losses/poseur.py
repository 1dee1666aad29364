"""The losses of Poseur: RLE's after the encoder and after every decoder layer.

Mao et al., "Poseur: Direct Human Pose Regression with Transformers" (ECCV 2022).

Legend: B samples, K keypoints, L decoder layers, Q queries: in training the K keypoints
and noisy copies of them, Q = 4 K, copy after copy. Keypoints, targets and sigmas are in
[0, 1] of the crop. Every loss is a mean over queries and samples, a sum over
coordinates and layers.
"""

import keras
from keras import ops

from distilpose_keras.losses.flow import RealNVP
from distilpose_keras.losses.rle import rle_loss

PRIOR_MEAN = 0.5  # of both flows, where RLE's have 0
# Published code: three copies of the coarse keypoints, noise clipped, result clipped.
NOISY_COPIES = 3
MOVED_COPIES = 12  # of their 51 points
NOISE_DEVIATION = 0.2**0.5
NOISE_LIMIT = 1.0
REFERENCE_LIMITS = (-0.7, 1.7)


def coarse_loss(keypoints, sigmas, targets, weights, flow, *, sample_weight=None):
    """Loss of the keypoints that the encoder regresses.

    Args:
        keypoints: (B, K, 2) predictions.
        sigmas: (B, K, 2) predictions, above 0.
        targets: (B, K, 2) ground truth.
        weights: (B, K, 1) 1 for a labelled keypoint, 0 otherwise.
        flow: `RealNVP` with `PRIOR_MEAN`, the encoder's own.
        sample_weight: optional (B,).
    """
    loss = rle_loss(
        keypoints, sigmas, targets, weights, flow, sample_weight=sample_weight
    )
    return loss / targets.shape[1]


def decoder_loss(keypoints, sigmas, targets, weights, flow, *, sample_weight=None):
    """Sum of the losses of all decoder layers.

    Args:
        keypoints: (B, L, Q, 2) predictions, Q a multiple of K.
        sigmas: (B, L, Q, 2) predictions, above 0.
        targets: (B, K, 2) ground truth.
        weights: (B, K, 1).
        flow: `RealNVP` with `PRIOR_MEAN`, shared by the layers.
        sample_weight: optional (B,).
    """
    layers, queries = keypoints.shape[1:3]
    repeats = (1, layers * queries // targets.shape[1], 1)
    loss = rle_loss(
        ops.reshape(keypoints, (-1, layers * queries, 2)),
        ops.reshape(sigmas, (-1, layers * queries, 2)),
        ops.tile(targets, repeats),
        ops.tile(weights, repeats),
        flow,
        sample_weight=sample_weight,
    )
    return loss / queries


def noisy_references(keypoints, noise, chosen):
    """Return the points that the decoder starts from in training.

    The keypoints themselves, then three copies of them in which some are moved: the
    decoder learns to come back from far away.

    Args:
        keypoints: (B, K, 2) coarse keypoints, not differentiated.
        noise: (B, M, 2) offsets; published: M = 12, of variance 0.2.
        chosen: (M,) int, which of the 3 K copies are moved, each at most once.

    Returns:
        (B, 4 K, 2) float32.
    """
    keypoints = ops.stop_gradient(ops.cast(keypoints, "float32"))
    copies = ops.tile(keypoints, (1, NOISY_COPIES, 1))  # (B, 3 K, 2)
    noise = ops.clip(ops.cast(noise, "float32"), -NOISE_LIMIT, NOISE_LIMIT)
    place = ops.one_hot(chosen, copies.shape[1], dtype="float32")  # (M, 3 K)
    moved = ops.any(place > 0, axis=0)[:, None]
    offsets = ops.einsum("bmc,mk->bkc", noise, place)
    copies = ops.where(moved, ops.clip(copies + offsets, *REFERENCE_LIMITS), copies)
    return ops.concatenate([keypoints, copies], axis=1)


@keras.saving.register_keras_serializable("distilpose_keras")
class PoseurLoss(keras.layers.Layer):
    """Both losses as a `LabelLoss`, with the weights that they alone need.

    Two flows, the coarse keypoints' sigmas, and what every decoder layer but the last
    predicts. They belong to the loss: no model holds them.

    Attributes:
        dim: D, channels of features and tokens.
        keypoints: K.
        early: decoder layers but the last, L - 1.
    """

    terms = ("coarse", "decoder")

    def __init__(self, dim, keypoints, early, **kwargs):
        """Make the loss with fresh weights; arguments as the attributes."""
        super().__init__(**{"dtype": "float32", **kwargs})
        self.dim, self.keypoints, self.early = dim, keypoints, early
        self.enc_flow = RealNVP(PRIOR_MEAN, name="enc_flow")
        self.dec_flow = RealNVP(PRIOR_MEAN, name="dec_flow")
        self.fc_sigma = self._linear(2 * keypoints, "glorot_uniform")
        widths = (dim, dim, 2)
        self.offsets = [[self._linear(n) for n in widths] for _ in range(early)]
        self.sigmas = [[self._linear(n) for n in widths] for _ in range(early)]
        self.built = True  # nothing is left to trace

    def _linear(self, units, kernel="torch"):
        """A linear map of D channels, whose weights begin as PyTorch's do."""
        bound = self.dim**-0.5
        uniform = keras.initializers.RandomUniform(-bound, bound)
        layer = keras.layers.Dense(
            units,
            kernel_initializer=uniform if kernel == "torch" else kernel,
            bias_initializer=uniform.clone(),
            dtype="float32",
        )
        layer.build((None, self.dim))
        return layer

    def call(self, outputs, targets, sample_weight=None):
        """Return the terms `coarse` and `decoder`."""
        keypoints, weights = targets["keypoints"], targets["weights"]
        coarse = coarse_loss(
            outputs["coarse_keypoints"],
            self.coarse_sigmas(outputs["coarse_feature"]),
            keypoints,
            weights,
            self.enc_flow,
            sample_weight=sample_weight,
        )
        decoder = decoder_loss(
            *self.layer_predictions(outputs),
            keypoints,
            weights,
            self.dec_flow,
            sample_weight=sample_weight,
        )
        return {"coarse": coarse, "decoder": decoder}

    def coarse_sigmas(self, feature):
        """Return (B, K, 2) sigmas of the coarse keypoints; feature (B, D)."""
        sigmas = ops.sigmoid(self.fc_sigma(feature))
        return ops.reshape(sigmas, (-1, self.keypoints, 2))

    def layer_predictions(self, outputs):
        """Return keypoints and sigmas of all layers, (B, L, Q, 2) each."""
        keypoints, sigmas = [], []
        for i in range(self.early):
            tokens = outputs["decoder_tokens"][:, i]
            first, second, last = self.offsets[i]
            offsets = last(ops.relu(second(ops.relu(first(tokens)))))
            keypoints.append(outputs["decoder_references"][:, i] + offsets)
            for linear in self.sigmas[i]:  # published without activations between
                tokens = linear(tokens)
            sigmas.append(ops.sigmoid(tokens))
        keypoints.append(outputs["decoder_keypoints"])
        sigmas.append(outputs["decoder_sigmas"])
        return ops.stack(keypoints, axis=1), ops.stack(sigmas, axis=1)

    def load_published(self, state_dict, prefix="keypoint_head."):
        """Fill the weights from a published PyTorch checkpoint.

        Args:
            state_dict: dict of PyTorch keys to arrays.
            prefix: of the keys of the head.

        Raises:
            KeyError: if a key is missing.
        """
        self.enc_flow.load_published(state_dict, f"{prefix}enc_flow.")
        self.dec_flow.load_published(state_dict, f"{prefix}dec_flow.")
        named = {f"{prefix}transformer.fc_sigma.linear": self.fc_sigma}
        for i in range(self.early):
            for part, linear in zip(("0", "2", "4"), self.offsets[i], strict=True):
                named[f"{prefix}fc_coord_output_branches.{i}.{part}"] = linear
            parts = ("0", "1", "2.linear")
            for part, linear in zip(parts, self.sigmas[i], strict=True):
                named[f"{prefix}fc_sigma_branches.{i}.{part}"] = linear
        for name, linear in named.items():
            linear.kernel.assign(state_dict[f"{name}.weight"].T)
            linear.bias.assign(state_dict[f"{name}.bias"])

    def get_config(self):
        """Return the constructor's arguments."""
        own = {"dim": self.dim, "keypoints": self.keypoints, "early": self.early}
        return {**super().get_config(), **own}
