"""TokenPose (Li et al., ICCV 2021): keypoint tokens to heatmaps. DistilPose's teacher.

Table 1 of DistilPose: the teacher has 69.41 M parameters, 17.03 GFLOPs and 72.5 AP on
COCO val (75.2 with DARK). As implemented there, on mmpose's crops. Legend: B samples, K
keypoints, D channels of a token, P visual tokens, (H, W) the input.

    image (B, H, W, 3) -> features (B, H / 4, W / 4, C) -> patches (B, P, D)
    [keypoint tokens | patches] (B, K + P, D) -> transformer -> keypoint tokens
    -> heatmaps (B, K, H / 4, W / 4)
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from keras import ops

from distilpose_keras.codecs.gaussians import SIGMA
from distilpose_keras.codecs.heatmaps import HeatmapCodec
from distilpose_keras.losses.labels import HeatmapLoss
from distilpose_keras.models.backbones import HRNet, StemNet
from distilpose_keras.models.config import PoseConfig
from distilpose_keras.models.deployed_tokens import (
    CenteredNorm,
    centered,
    deployed_keypoint_tokens,
    linear_after_norm,
    norm,
)
from distilpose_keras.models.deployed_tokens import (
    dense as deployed_dense,
)
from distilpose_keras.models.figures import Figures
from distilpose_keras.models.layers import OUTPUT_DTYPE, dense, layer_norm
from distilpose_keras.models.transformer import (
    TokenTransformer,
    check_token_input,
    tokens,
    without_positions,
)
from distilpose_keras.types import Tensor

if TYPE_CHECKING:
    from distilpose_keras.losses.labels import LabelLoss
    from distilpose_keras.models.folding import Folding

HEAD = "keypoint_head-tokenpose"


@dataclass(frozen=True)
class TokenPose(PoseConfig):
    """Settings of a TokenPose.

    Attributes:
        backbone: what makes the feature map of stride 4.
        transformer: its sizes.
        hidden: channels between a keypoint token and its heatmap.
        sigma: of the targets' Gaussians, in heatmap pixels.
        dark: whether peaks are refined by DARK, else by a quarter pixel.
    """

    backbone: StemNet | HRNet = StemNet()
    transformer: TokenTransformer = TokenTransformer()
    hidden: int = 384
    sigma: float = SIGMA
    dark: bool = False

    def __post_init__(self):
        """Check that the sizes fit."""
        check_token_input(self)

    @property
    def codec(self) -> HeatmapCodec:
        """Heatmaps of a quarter of the input."""
        height, width = self.input_size
        return HeatmapCodec((height // 4, width // 4), self.sigma, self.dark)

    def build(self, images: Tensor) -> dict[str, Tensor]:
        """Return heatmaps and the tokens that are distilled."""
        keypoint_tokens, visual_tokens = tokens(
            self.backbone(images), self.transformer, self.num_keypoints, name=HEAD
        )
        size = self.codec.heatmap_size
        x = self.head(keypoint_tokens)
        return {
            "heatmaps": ops.reshape(x, (-1, self.num_keypoints, *size)),
            "keypoint_tokens": keypoint_tokens[..., -self.transformer.dim :],
            "visual_tokens": visual_tokens,
        }

    def head(self, keypoint_tokens):
        """Map (B, K, D) tokens to (B, K, H W / 16) pixels of heatmaps."""
        height, width = self.codec.heatmap_size
        x = layer_norm(keypoint_tokens, f"{HEAD}-mlp_head-0")
        x = dense(x, self.hidden, f"{HEAD}-mlp_head-1")
        x = layer_norm(x, f"{HEAD}-mlp_head-2", dtype=OUTPUT_DTYPE)
        return dense(x, height * width, f"{HEAD}-mlp_head-3", dtype=OUTPUT_DTYPE)

    def label_loss(self, model: Any) -> "LabelLoss":
        """Masked squared error to Gaussians."""
        return HeatmapLoss(self.codec)

    def read_checkpoint(self, state: dict[str, Any]) -> dict[str, Any]:
        """Drop the stored position code, which is computed."""
        return without_positions(state, self)

    def deploy(self, folding: "Folding") -> dict[str, Tensor]:
        """Leave out what only visual tokens need."""
        x = deployed_keypoint_tokens(
            folding, self.transformer, self.num_keypoints, name=HEAD
        )
        x = norm(folding, x, f"{HEAD}-mlp_head-0")
        hidden = linear_after_norm(folding, f"{HEAD}-mlp_head-1", f"{HEAD}-mlp_head-0")
        x = deployed_dense(x, *centered(*hidden), f"{HEAD}-mlp_head-1")
        x = CenteredNorm(name=f"{HEAD}-mlp_head-2")(x)
        maps = linear_after_norm(folding, f"{HEAD}-mlp_head-3", f"{HEAD}-mlp_head-2")
        x = deployed_dense(x, *maps, f"{HEAD}-mlp_head-3")
        size = self.codec.heatmap_size
        heatmaps = ops.reshape(x, (x.shape[0] or -1, self.num_keypoints, *size))
        return folding.decode({"heatmaps": heatmaps})


MODELS = {
    # The AP is that of TokenPose-S-v1, the same network.
    TokenPose("tokenpose_stemnet"): Figures(6_620_736, 2.726, 6.6, 2.4, 72.5),
    TokenPose("tokenpose_hrnet_w48", backbone=HRNet(48, stages=4)): Figures(
        69_411_360, 17.29, 69.41, 17.03, 72.5
    ),  # the paper's teacher
    TokenPose("tokenpose_hrnet_w48_stage3", backbone=HRNet(48, stages=3)): Figures(
        22_522_272, 10.63
    ),
    TokenPose(  # the demonstration's teacher
        "demo_teacher",
        input_size=(64, 48),
        backbone=StemNet(width=24, blocks=2, block_width=16),
        transformer=TokenTransformer(dim=64, layers=3, heads=4, mlp_ratio=2),
        hidden=128,
        sigma=1.5,  # 2 is wide on a map of 16x12
    ): Figures(199_656, 0.008342),
}
