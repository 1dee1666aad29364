"""TransPose (Yang et al., ICCV 2021): a transformer encoder over a CNN's features.

Table 1 of the paper: TransPose-R-A4 6.0 M parameters, 8.9 GFLOPs, 72.6 AP on COCO val;
TransPose-H-A6 17.5 M, 21.8, 75.8. Its parameters include the fixed position code.
Legend: B samples, K keypoints, D channels of a token, S the stride of the features.

    image (B, H, W, 3) -> features (B, H / S, W / S, C) -> tokens (B, H W / S^2, D)
    -> encoder -> features (B, H / S, W / S, D) -> heatmaps (B, K, H / 4, W / 4)
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import layers, ops

from distilpose_keras.codecs.gaussians import SIGMA
from distilpose_keras.codecs.subpixel import SubpixelCodec
from distilpose_keras.geometry import ALIGNED
from distilpose_keras.losses.transpose import HalfHeatmapLoss
from distilpose_keras.models.backbones import HRNet, ResNet
from distilpose_keras.models.config import PoseConfig
from distilpose_keras.models.encoder import Encoder, split_in_projections
from distilpose_keras.models.figures import Figures
from distilpose_keras.models.layers import (
    deconvolution,
    heatmap_layer,
    sine_position_code,
)

ENCODER = "global_encoder"
# Published modules of the head, which are not part of ours, and ours.
HEAD = {
    "deconv_layers.": "keypoint_head.deconv_layers.",
    "final_layer.": "keypoint_head.final_layer.",
}
OURS = ("backbone.", "keypoint_head.", f"{ENCODER}.", "reduce.")


@dataclass(frozen=True)
class TransPose(PoseConfig):
    """Settings of a TransPose.

    Attributes:
        backbone: what makes the feature map, of stride 4 or 8.
        encoder: sizes of the transformer.
        sigma: of the targets' Gaussians, in heatmap pixels.
        dark: whether peaks are refined by DARK, else by a quarter pixel.
    """

    backbone: ResNet | HRNet = ResNet(50, stages=2)
    encoder: Encoder = Encoder()
    sigma: float = SIGMA
    dark: bool = True

    geometry = ALIGNED

    def __post_init__(self):
        """Check that the input fits, and that a quarter of it can be reached."""
        stride = self.backbone.stride
        if stride not in (4, 8):
            raise ValueError(
                "a TransPose needs a backbone of stride 4 or 8. "
                f"Received: {type(self.backbone).__name__} of stride {stride}"
            )
        self._check_input_size(self.backbone.divisor, self.backbone.divisor)

    @property
    def codec(self):
        """Heatmaps of a quarter of the input."""
        height, width = self.input_size
        return SubpixelCodec((height // 4, width // 4), self.sigma, self.dark)

    @property
    def grid(self):
        """(rows, columns) of tokens."""
        return tuple(side // self.backbone.stride for side in self.input_size)

    def build(self, images):
        """Return heatmaps."""
        rows, columns = self.grid
        dim = self.encoder.dim
        x = layers.Conv2D(dim, 1, use_bias=False, name="reduce")(self.backbone(images))
        x = ops.reshape(x, (-1, rows * columns, dim))
        x = self.encoder(x, self.grid, name=ENCODER)
        x = ops.reshape(x, (-1, rows, columns, dim))
        if self.backbone.stride == 8:
            x = deconvolution(x, dim, 0)
        return {"heatmaps": heatmap_layer(x, self.num_keypoints)}

    def label_loss(self, model: Any):
        """Half the masked squared error to whole Gaussians."""
        return HalfHeatmapLoss(self.codec)

    def read_checkpoint(self, state):
        """Split the attention's matrices, name modules as ours, drop the fixed code."""
        ours = {}
        for key, value in split_in_projections(state).items():
            if key == "pos_embedding":
                self._check_code(value)
            else:
                ours[_our_key(key)] = value
        return ours

    def _check_code(self, stored):
        code = sine_position_code(*self.grid, self.encoder.dim)[:, None]
        if tuple(stored.shape) != code.shape or not np.allclose(
            stored, code, atol=1e-4
        ):
            raise ValueError(
                f"pos_embedding is not the 2D sine code {code.shape} that {self.name} "
                f"uses. Received: {tuple(stored.shape)}"
            )


def _our_key(key):
    for theirs, ours in HEAD.items():
        if key.startswith(theirs):
            return ours + key.removeprefix(theirs)
    return key if key.startswith(OURS) else f"backbone.{key}"


# The parameters and AP are those of the repository's README; its AP on boxes of a
# detector, with flip test.
MODELS = {
    TransPose("transpose_r_a3"): Figures(4_998_737, 5.414, 5.2, 8.0, 71.7),
    TransPose("transpose_r_a4", encoder=Encoder(layers=4)): Figures(
        5_788_497, 6.320, 6.0, 8.9, 72.6
    ),
    TransPose(
        "transpose_h_s", backbone=HRNet(32), encoder=Encoder(64, 128, 4, 1)
    ): Figures(7_822_673, 9.929, 8.0, 10.2, 74.2),
    TransPose(
        "transpose_h_a4", backbone=HRNet(48), encoder=Encoder(96, 192, 4, 1)
    ): Figures(17_011_217, 17.21, 17.3, 17.5, 75.3),
    TransPose(
        "transpose_h_a6", backbone=HRNet(48), encoder=Encoder(96, 192, 6, 1)
    ): Figures(17_160_785, 21.28, 17.5, 21.8, 75.8),
}
