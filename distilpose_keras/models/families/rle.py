"""RLE (Li et al., ICCV 2021): coordinates and how sure each is, by their likelihood.

Table 1 of DistilPose quotes RLE with ResNet-50 (23.6 M parameters, 4.04 GFLOPs, 70.5 AP
on COCO val) and HRNet-W48 (75.6 M, 15.76, 74.2). A normalising flow of 53,784
parameters takes part in the loss alone. Sigmas are of one unit with the keypoints.

    image (B, H, W, 3) -> features (B, H / 32, W / 32, C) -> their mean f (B, C)
    keypoints = linear(f / |f|) + 0.5 (B, K, 2), sigmas = sigmoid(linear(f)) (B, K, 2)
    scores = 1 - mean of the two sigmas (B, K, 1)
"""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from distilpose_keras.codecs.coordinates import CoordinateCodec
from distilpose_keras.losses.rle import LaplaceRLELoss, RLELoss
from distilpose_keras.models.backbones import HRNet, HRNetC, ResNet, StemNet
from distilpose_keras.models.config import PoseConfig
from distilpose_keras.models.figures import Figures
from distilpose_keras.models.layers import OUTPUT_DTYPE
from distilpose_keras.models.published_names import renamed

FEATURE = "feature"  # name of the layer that averages the feature map
CENTER = 0.5  # where the authors' coordinates are 0
HEATMAP_STRIDE = 4  # of the heatmaps that teachers return


@dataclass(frozen=True)
class RLE(PoseConfig):
    """Settings of an RLE model of the authors.

    Attributes:
        backbone: what makes the feature map.
    """

    backbone: ResNet | HRNetC | StemNet | HRNet = ResNet()

    # ImageNet's mean of blue, green and red, taken from red, green and blue, and no
    # deviation: the published weights were trained so.
    image_mean = (0.406, 0.457, 0.480)
    image_std = (1.0, 1.0, 1.0)
    distillable = True
    scores_from_labels = True
    person_score = "sum"

    def __post_init__(self):
        """Check that the input fits."""
        self._check_input_size(self.backbone.divisor, self.backbone.divisor)

    @property
    def codec(self):
        """Coordinates; a mirrored pixel x is at width - 1 - x."""
        return CoordinateCodec(mirror_shift=1 / self.input_size[1])

    def build(self, images):
        """Return keypoints, scores and sigmas, all in units of the crop."""
        keypoints, sigmas = self.head(pooled(self.backbone(images)))
        return {
            "keypoints": keypoints,
            "scores": 1 - ops.mean(sigmas, axis=-1, keepdims=True),
            "sigmas": sigmas,
        }

    def head(self, feature):
        """Map (B, C) features to keypoints and sigmas, (B, K, 2) each."""
        # Not divided by an epsilon more: the published code has none.
        norm = ops.sqrt(ops.sum(ops.square(feature), axis=-1, keepdims=True))
        coordinates = self._pairs(feature / norm, "fc_coord-linear")
        sigmas = ops.sigmoid(self._pairs(feature, "fc_sigma-linear"))
        return coordinates + CENTER, sigmas

    def _pairs(self, feature, name):
        """A linear map to (B, K, 2), initialised as published."""
        bound = feature.shape[-1] ** -0.5  # PyTorch's default, of the bias
        x = layers.Dense(
            2 * self.num_keypoints,
            # Xavier's uniform distribution with a gain of 0.01.
            kernel_initializer=keras.initializers.VarianceScaling(
                0.01**2, "fan_avg", "uniform"
            ),
            bias_initializer=keras.initializers.RandomUniform(-bound, bound),
            name=name,
            dtype=OUTPUT_DTYPE,
        )(feature)
        return ops.reshape(x, (-1, self.num_keypoints, 2))

    def label_loss(self, model: Any):
        """Minus the log-likelihood of the labels, with a flow (section 3.3)."""
        return RLELoss()

    def shown(self, outputs):
        """Sigmas in heatmap pixels."""
        height, width = (side / HEATMAP_STRIDE for side in self.input_size)
        pixels = np.array([width, height], "float32")
        return {**outputs, "sigmas": ops.multiply(outputs["sigmas"], pixels)}

    def read_checkpoint(self, state):
        """Leave the flow out, which only the loss needs."""
        return renamed(state, {"preact.": "backbone."}, dropped=("flow.",))


@dataclass(frozen=True)
class MMPoseRLE(RLE):
    """Settings of an RLE model as mmpose has it.

    One linear map without a norm, coordinates from the crop's corner, ImageNet's mean
    and deviation, a Laplacian base density.
    """

    image_mean = PoseConfig.image_mean
    image_std = PoseConfig.image_std

    def head(self, feature):
        """Map (B, C) features to keypoints and sigmas, (B, K, 2) each."""
        x = layers.Dense(
            4 * self.num_keypoints,
            kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
            name="head-fc",
            dtype=OUTPUT_DTYPE,
        )(feature)
        x = ops.reshape(x, (-1, self.num_keypoints, 4))
        return x[..., :2], ops.sigmoid(x[..., 2:])

    def label_loss(self, model: Any):
        """Minus the log-likelihood of the labels, with a flow."""
        return LaplaceRLELoss()

    def read_checkpoint(self, state):
        """Read the keys of mmpose 0.x too; leave the flow out."""
        state = renamed(state, {"keypoint_head.": "head."})
        return renamed(state, {}, dropped=("head.loss_module.", "head.loss."))


def pooled(features):
    """The mean of a (B, h, w, C) map over its positions: float32 (B, C)."""
    return layers.GlobalAveragePooling2D(name=FEATURE, dtype=OUTPUT_DTYPE)(features)


MODELS = {
    RLE("rle_resnet50"): Figures(23_647_364, 4.004, 23.6, 4.04, 70.5, 53_784),
    RLE("rle_hrnet_w48", backbone=HRNetC()): Figures(
        75_560_196, 16.92, 75.6, 15.76, 74.2, 53_784
    ),
}
MMPOSE_MODELS = {
    MMPoseRLE("rle_resnet50_mmpose"): Figures(
        23_647_364, 4.004, 23.6, 4.04, 70.6, 53_784
    ),
}
