"""Coordinates whose sigmas say how much the mirrored crop counts (Poseur)."""

from dataclasses import dataclass

import keras
import numpy as np

from distilpose_keras.codecs.codec import Outputs
from distilpose_keras.codecs.coordinates import CoordinateCodec, flip_keypoints
from distilpose_keras.keypoints import KeypointSchema

# Published evaluation, "type2": the chance of a coordinate that errs by sigma.
CHANCE, SCALE = 0.7, 0.2
POWER = 5
EPSILON = 1e-10


@keras.saving.register_keras_serializable("distilpose_keras")
@dataclass(frozen=True)
class WeighedCodec(CoordinateCodec):
    """Keypoints and scores as they are; with the mirrored crop, by their sigmas.

    The published AP was measured so. Averaged scores are not averages of scores: they
    are chances of at most 0.7. Exported files hold no sigmas and average plainly.

    Attributes:
        weighed: whether sigmas decide, else both crops count the same.
    """

    weighed: bool = True

    outputs = ("keypoints", "scores", "sigmas")

    def graph_decode(self, outputs: Outputs) -> Outputs:
        """Return the two outputs: nothing is left to decode."""
        return {name: outputs[name] for name in super().outputs}

    def average_mirrored(
        self, outputs: Outputs, mirrored: Outputs, schema: KeypointSchema
    ) -> Outputs:
        """Average keypoints, scores and sigmas."""
        swapped = mirrored["sigmas"][:, schema.flip_permutation]
        sigmas = (outputs["sigmas"] + swapped) / 2
        if not self.weighed:
            plain = super().average_mirrored(outputs, mirrored, schema)
            return {**plain, "sigmas": sigmas}
        keypoints = flip_keypoints(mirrored["keypoints"], schema)
        chances = [_chance(s) for s in (outputs["sigmas"], swapped)]
        shares = [chance**POWER for chance in chances]
        total = shares[0] * outputs["keypoints"] + shares[1] * keypoints
        return {
            "keypoints": total / (shares[0] + shares[1] + EPSILON),
            "scores": (chances[0] + chances[1]) / 2,
            "sigmas": sigmas,
        }


def _chance(sigmas):
    """(N, K, 1) chance that a keypoint of these sigmas (N, K, 2) is right."""
    of_axes = 1 - np.exp(-SCALE / np.asarray(sigmas))
    return CHANCE * np.prod(of_axes, axis=-1, keepdims=True)
