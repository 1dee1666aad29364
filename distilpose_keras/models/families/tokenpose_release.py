"""TokenPose as its authors published it (Li et al., ICCV 2021).

`families.tokenpose` is DistilPose's teacher, the same network on mmpose's crops. The
releases have crops, targets and decoding of their own, and L three transformers in a
row, whose keypoint tokens of all three depths make the heatmaps. Table 1 of the paper,
COCO val: S-v1 6.6 M parameters, 72.5 AP; B 13.5 M, 74.7; L/D24 27.5 M, 75.8. Legend: B
samples, K keypoints, D channels of a token, P visual tokens, (H, W) the input.

    image (B, H, W, 3) -> features (B, H / S, W / S, C) -> patches (B, P, D)
    [keypoint tokens | patches] (B, K + P, D) -> transformer -> keypoint tokens
    (B, K, D), of L (B, K, 3 D) -> heatmaps (B, K, H / 4, W / 4)
"""

import re
from dataclasses import dataclass
from typing import Any

from distilpose_keras.codecs.subpixel import SubpixelCodec
from distilpose_keras.geometry import ALIGNED
from distilpose_keras.losses.transpose import HalfHeatmapLoss
from distilpose_keras.models.backbones import HRNet, Pixels, StemNet
from distilpose_keras.models.config import PoseConfig
from distilpose_keras.models.families.tokenpose import HEAD, TokenPose
from distilpose_keras.models.figures import Figures
from distilpose_keras.models.layers import OUTPUT_DTYPE, dense, layer_norm
from distilpose_keras.models.transformer import (
    TokenTransformer,
    check_token_input,
    without_positions,
)

STEM = re.compile(r"features\.(conv1|bn1|conv2|bn2|layer1)\.")
LAYER = re.compile(r"(?:transformer|features)\.transformer(\d?)\.layers\.(\d+)\.")
OURS = HEAD.replace("-", ".")


@dataclass(frozen=True)
class TokenPoseRelease(TokenPose):
    """Settings of a released TokenPose.

    Attributes:
        backbone: what makes the feature map: `StemNet` (S), `HRNet` (B, L) or `Pixels`
            (T).
        hidden: channels between a keypoint token and its heatmap; with several
            transformers in a row there is no layer between.
        dark: whether peaks are refined by DARK, else by a quarter pixel.
    """

    backbone: StemNet | HRNet | Pixels = StemNet()
    dark: bool = True

    geometry = ALIGNED

    def __post_init__(self):
        """Check that the sizes fit."""
        check_token_input(self, strides=(1, 4))

    @property
    def codec(self):
        """Heatmaps of a quarter of the input."""
        height, width = self.input_size
        return SubpixelCodec((height // 4, width // 4), self.sigma, self.dark)

    def head(self, keypoint_tokens):
        """Map (B, K, C) tokens to (B, K, H W / 16) pixels of heatmaps."""
        if self.transformer.blocks == 1:
            return super().head(keypoint_tokens)
        height, width = self.codec.heatmap_size
        x = layer_norm(keypoint_tokens, f"{HEAD}-mlp_head-0", dtype=OUTPUT_DTYPE)
        return dense(x, height * width, f"{HEAD}-mlp_head-1", dtype=OUTPUT_DTYPE)

    def label_loss(self, model: Any):
        """Half the masked squared error to whole Gaussians."""
        return HalfHeatmapLoss(self.codec)

    def read_checkpoint(self, state):
        """Name modules as ours, number layers through, scale the queries of S."""
        per_block = self.transformer.layers // self.transformer.blocks
        ours = {}
        for key, value in state.items():
            # The heads of S are scaled by D ** -0.5, ours by (D / heads) ** -0.5.
            if key.startswith("features.") and key.endswith(".to_qkv.weight"):
                value = value.copy()
                value[: self.transformer.dim] *= self.transformer.heads**-0.5
            ours[_our_key(key, per_block)] = value
        return without_positions(ours, self)

    def deploy(self, folding):
        """Leave out what only visual tokens need, where one depth is read."""
        if self.transformer.blocks == 1:
            return super().deploy(folding)
        # Tokens of several depths share a norm: their means must stay.
        return PoseConfig.deploy(self, folding)


def _our_key(key, per_block):
    if key.startswith("pre_feature."):
        return "backbone." + key.removeprefix("pre_feature.")
    if STEM.match(key):
        return "backbone." + key.removeprefix("features.")
    layer = LAYER.match(key)
    if layer:
        block, index = int(layer[1] or 1), int(layer[2])
        index += (block - 1) * per_block
        return f"{OURS}.transformer.layers.{index}.{key[layer.end() :]}"
    for prefix in ("transformer.", "features."):
        if key.startswith(prefix):
            return f"{OURS}.{key.removeprefix(prefix)}"
    return key


# The paper's figures; those of S-v2 cannot be had from the code. L/D6 has the settings
# of the authors' MPII file.
MODELS = {
    TokenPoseRelease("tokenpose_s_v1"): Figures(6_620_736, 2.726, 6.6, 2.2, 72.5),
    TokenPoseRelease(
        "tokenpose_s_v2", transformer=TokenTransformer(patch_size=(2, 2))
    ): Figures(6_227_520, 7.487, 6.2, 11.6, 73.5),
    TokenPoseRelease("tokenpose_b", backbone=HRNet(32)): Figures(
        13_465_216, 6.276, 13.5, 5.7, 74.7
    ),
    TokenPoseRelease(
        "tokenpose_l_d6",
        backbone=HRNet(48),
        transformer=TokenTransformer(layers=6, blocks=3),
    ): Figures(20_815_776, 9.867, 20.8, 9.1, 75.4),
    TokenPoseRelease(
        "tokenpose_l_d24",
        backbone=HRNet(48),
        transformer=TokenTransformer(layers=24, heads=12, blocks=3),
    ): Figures(27_482_400, 12.19, 27.5, 11.0, 75.8),
    TokenPoseRelease(  # the paper's AP, 75.9, is that of COCO test-dev
        "tokenpose_l_d24_384x288",
        input_size=(384, 288),
        backbone=HRNet(48),
        transformer=TokenTransformer((6, 4), layers=24, heads=12, blocks=3),
        sigma=3.0,
    ): Figures(29_808_672, 24.01, 29.8, 22.1),
    TokenPoseRelease(
        "tokenpose_t",
        backbone=Pixels(),
        transformer=TokenTransformer(patch_size=(16, 12), heads=16),
    ): Figures(5_816_448, 1.601, 5.8, 1.3, 65.6),
}
