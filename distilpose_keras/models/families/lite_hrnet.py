"""Lite-HRNet (Yu et al., CVPR 2021): a high-resolution network for phones, to heatmaps.

Not in Table 1 of DistilPose. The paper's Lite-HRNet-18 has 1.1 M parameters, 0.20
GFLOPs and 64.8 AP on COCO val, Lite-HRNet-30 1.8 M, 0.31 and 67.2.

    image (B, H, W, 3) -> features (B, H / 4, W / 4, C) -> heatmaps (B, K, H / 4, W / 4)
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from distilpose_keras.codecs.each_axis import EachAxisCodec
from distilpose_keras.codecs.gaussians import SIGMA
from distilpose_keras.losses.labels import HeatmapLoss
from distilpose_keras.models.backbones import LiteHRNet as Branches
from distilpose_keras.models.config import PoseConfig
from distilpose_keras.models.figures import Figures
from distilpose_keras.models.layers import heatmap_layer
from distilpose_keras.models.published_names import as_mmpose_0
from distilpose_keras.types import Tensor

if TYPE_CHECKING:
    from distilpose_keras.losses.labels import LabelLoss


@dataclass(frozen=True)
class LiteHRNet(PoseConfig):
    """Settings of a Lite-HRNet.

    Attributes:
        backbone: what makes the feature map of stride 4.
        sigma: of the targets' Gaussians, in heatmap pixels.
        dark: whether peaks are refined by DARK, else by a quarter pixel.
    """

    backbone: Branches = Branches()
    sigma: float = SIGMA
    dark: bool = False

    def __post_init__(self):
        """Check that the input fits, and that no map is a single pixel."""
        self._check_input_size(self.backbone.divisor, self.backbone.divisor)
        if min(self.input_size) < 2 * self.backbone.divisor:
            raise ValueError(
                f"input_size must be at least {2 * self.backbone.divisor} pixels. "
                f"Received: {list(self.input_size)}"
            )

    @property
    def codec(self) -> EachAxisCodec:
        """Heatmaps of a quarter of the input."""
        height, width = self.input_size
        return EachAxisCodec((height // 4, width // 4), self.sigma, self.dark)

    def build(self, images: Tensor) -> dict[str, Tensor]:
        """Return heatmaps."""
        return {"heatmaps": heatmap_layer(self.backbone(images), self.num_keypoints)}

    def label_loss(self, model: Any) -> "LabelLoss":
        """Masked squared error to Gaussians."""
        return HeatmapLoss(self.codec)

    def read_checkpoint(self, state: dict[str, Any]) -> dict[str, Any]:
        """Read the keys of mmpose 1.x too."""
        return as_mmpose_0(state)


# The papers' AP is quoted from memory; mmpose's own table has 64.2 and 67.6.
MODELS = {
    LiteHRNet("litehrnet_18"): Figures(1_130_769, 0.1986, 1.1, 0.20, 64.8),
    LiteHRNet("litehrnet_30", backbone=Branches(modules=(3, 8, 3))): Figures(
        1_763_717, 0.3095, 1.8, 0.31, 67.2
    ),
}
