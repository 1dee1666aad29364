"""HRNet (Sun et al., CVPR 2019): high-resolution features to heatmaps.

Table 1 of DistilPose quotes HRNet-W32 with 28.5 M parameters, 7.1 GFLOPs and 74.4 AP on
COCO val, HRNet-W48 with 63.6 M, 14.6 and 75.1.

    image (B, H, W, 3) -> features (B, H / 4, W / 4, C) -> heatmaps (B, K, H / 4, W / 4)
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from distilpose_keras.codecs.gaussians import SIGMA
from distilpose_keras.codecs.heatmaps import HeatmapCodec
from distilpose_keras.losses.labels import HeatmapLoss
from distilpose_keras.models.backbones import HRNet as Branches
from distilpose_keras.models.backbones import StemNet
from distilpose_keras.models.config import PoseConfig
from distilpose_keras.models.figures import Figures
from distilpose_keras.models.layers import heatmap_layer
from distilpose_keras.types import Tensor

if TYPE_CHECKING:
    from distilpose_keras.losses.labels import LabelLoss


@dataclass(frozen=True)
class HRNet(PoseConfig):
    """Settings of an HRNet.

    Attributes:
        backbone: what makes the feature map of stride 4.
        sigma: of the targets' Gaussians, in heatmap pixels.
        dark: whether peaks are refined by DARK, else by a quarter pixel.
    """

    backbone: Branches | StemNet = Branches(stages=4)
    sigma: float = SIGMA
    dark: bool = False

    def __post_init__(self):
        """Check that the input fits."""
        self._check_input_size(self.backbone.divisor, self.backbone.divisor)

    @property
    def codec(self) -> HeatmapCodec:
        """Heatmaps of a quarter of the input."""
        height, width = self.input_size
        return HeatmapCodec((height // 4, width // 4), self.sigma, self.dark)

    def build(self, images: Tensor) -> dict[str, Tensor]:
        """Return heatmaps."""
        return {"heatmaps": heatmap_layer(self.backbone(images), self.num_keypoints)}

    def label_loss(self, model: Any) -> "LabelLoss":
        """Masked squared error to Gaussians."""
        return HeatmapLoss(self.codec)


MODELS = {
    HRNet("hrnet_w32", backbone=Branches(32, stages=4)): Figures(
        28_536_113, 7.645, 28.5, 7.1, 74.4
    ),
    HRNet("hrnet_w48", backbone=Branches(48, stages=4)): Figures(
        63_595_745, 15.69, 63.6, 14.6, 75.1
    ),
}
