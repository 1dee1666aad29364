"""ViTPose (Xu et al., NeurIPS 2022): a plain vision transformer to heatmaps.

Not in Table 1 of DistilPose. The repository's AP on COCO val, classic and simple head:
S 73.8 and 73.5, B 75.8 and 75.5, L 78.3 and 78.2, H 79.1 and 78.9. Crops and heatmaps
are those of unbiased data processing (UDP). Legend: B samples, K keypoints, D channels
of a token, (H, W) the input.

    image (B, H, W, 3) -> patches (B, H / 16 * W / 16, D) -> transformer
    -> features (B, H / 16, W / 16, D) -> two deconvolutions, or one bilinear
    enlargement (B, H / 4, W / 4, C) -> heatmaps (B, K, H / 4, W / 4)
"""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from distilpose_keras.codecs.gaussians import SIGMA
from distilpose_keras.codecs.udp import UdpHeatmapCodec
from distilpose_keras.geometry import UDP
from distilpose_keras.losses.labels import HeatmapLoss
from distilpose_keras.models.backbones import ViT
from distilpose_keras.models.config import PoseConfig
from distilpose_keras.models.figures import Figures
from distilpose_keras.models.layers import deconvolution, heatmap_layer

SCALE = 4  # of the heatmaps beside the features, for either head
POSITIONS = "backbone.pos_embed"
# From mmpretrain's names, which mmpose 1.x publishes, to the repository's. They are
# read from mmpretrain's code; no published file was at hand to try them on.
MMPRETRAIN = (
    (r"backbone\.patch_embed\.projection\.", "backbone.patch_embed.proj."),
    (r"backbone\.layers\.(\d+)\.ln([12])\.", r"backbone.blocks.\1.norm\2."),
    (r"backbone\.layers\.(\d+)\.attn\.", r"backbone.blocks.\1.attn."),
    (r"backbone\.layers\.(\d+)\.ffn\.layers\.0\.0\.", r"backbone.blocks.\1.mlp.fc1."),
    (r"backbone\.layers\.(\d+)\.ffn\.layers\.1\.", r"backbone.blocks.\1.mlp.fc2."),
    (r"backbone\.ln1\.", "backbone.last_norm."),
    (r"head\.", "keypoint_head."),
)


@dataclass(frozen=True)
class ViTPose(PoseConfig):
    """Settings of a ViTPose.

    Attributes:
        backbone: the transformer.
        simple: whether features are enlarged by interpolation and mapped by one
            convolution, else by two deconvolutions.
        filters: channels of the deconvolved maps.
        sigma: of the targets' Gaussians, in heatmap pixels.
        dark: whether peaks are refined by UDP's DARK, else by a quarter pixel.
    """

    backbone: ViT = ViT()
    simple: bool = False
    filters: int = 256
    sigma: float = SIGMA
    dark: bool = True

    geometry = UDP

    def __post_init__(self):
        """Check that the input fits."""
        self._check_input_size(self.backbone.divisor, self.backbone.divisor)

    @property
    def codec(self):
        """Unbiased heatmaps of a quarter of the input."""
        height, width = (SCALE * n // self.backbone.stride for n in self.input_size)
        return UdpHeatmapCodec((height, width), self.sigma, self.dark)

    def build(self, images):
        """Return heatmaps."""
        return {"heatmaps": self.head(self.backbone(images))}

    def head(self, features):
        """Map (B, h, w, D) features to heatmaps (B, K, 4 h, 4 w)."""
        if not self.simple:
            for i in range(2):
                features = deconvolution(features, self.filters, i)
            return heatmap_layer(features, self.num_keypoints)
        size = [SCALE * n for n in features.shape[1:3]]
        x = ops.image.resize(ops.relu(features), size, interpolation="bilinear")
        return heatmap_layer(x, self.num_keypoints, kernel_size=3)

    def label_loss(self, model: Any):
        """Masked squared error to Gaussians."""
        return HeatmapLoss(self.codec)

    def read_checkpoint(self, state):
        """Rename mmpretrain's keys; there, tokens get their own position alone."""
        if not any(key.startswith("backbone.layers.") for key in state):
            return state
        state = {
            _repository_name(key): value
            for key, value in state.items()
            if not key.startswith("data_preprocessor.")  # normalisation, as ours
        }
        if POSITIONS in state:
            code = np.asarray(state[POSITIONS])
            tokens = np.prod([n // self.backbone.stride for n in self.input_size])
            own = code[:, 1:] if code.shape[1] == tokens + 1 else code
            state[POSITIONS] = np.pad(own, ((0, 0), (1, 0), (0, 0)))
        return state


def _repository_name(key):
    """Return a key of mmpretrain as the repository names it."""
    for pattern, name in MMPRETRAIN:
        if re.match(pattern, key):
            return re.sub(pattern, name, key, count=1)
    return key


SMALL = ViT(384, 12, 12, drop_path=0.1)
BASE = ViT(768, 12, 12, drop_path=0.3)
LARGE = ViT(1024, 24, 16, drop_path=0.5)
HUGE = ViT(1280, 32, 16, drop_path=0.55)

# The paper's parameters are the backbone's.
MODELS = {
    ViTPose("vitpose_s", backbone=SMALL): Figures(24_290_577, 5.594, paper_ap=73.8),
    ViTPose("vitpose_s_simple", backbone=SMALL, simple=True): Figures(
        21_722_513, 4.654, paper_ap=73.5
    ),
    ViTPose("vitpose_b", backbone=BASE): Figures(89_994_513, 18.52, 86, paper_ap=75.8),
    ViTPose("vitpose_b_simple", backbone=BASE, simple=True): Figures(
        85_912_337, 17.46, 86, paper_ap=75.5
    ),
    ViTPose("vitpose_l", backbone=LARGE): Figures(
        308_544_785, 61.57, 307, paper_ap=78.3
    ),
    ViTPose("vitpose_l_simple", backbone=LARGE, simple=True): Figures(
        303_453_201, 60.43, 307, paper_ap=78.2
    ),
    ViTPose("vitpose_h", backbone=HUGE): Figures(
        637_208_849, 125.8, 632, paper_ap=79.1
    ),
    ViTPose("vitpose_h_simple", backbone=HUGE, simple=True): Figures(
        631_107_857, 124.6, 632, paper_ap=78.9
    ),
}
