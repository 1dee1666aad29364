"""SimpleBaselines (Xiao et al., ECCV 2018): a backbone and deconvolutions to heatmaps.

Table 1 of DistilPose quotes ResNet-50 with 34.0 M parameters, 8.9 GFLOPs and 70.4 AP on
COCO val, ResNet-101 with 53.0 M, 12.4 and 71.4, ResNet-152 with 68.6 M, 15.7 and 72.0.
The one on MobileNetV2 is mmpose's.

    image (B, H, W, 3) -> features (B, H / 32, W / 32, C) -> three deconvolutions
    (B, H / 4, W / 4, 256) -> heatmaps (B, K, H / 4, W / 4)
"""

from dataclasses import dataclass
from typing import Any

from distilpose_keras.codecs.each_axis import EachAxisCodec
from distilpose_keras.codecs.gaussians import SIGMA
from distilpose_keras.codecs.heatmaps import HeatmapCodec
from distilpose_keras.losses.labels import HeatmapLoss, LabelLoss
from distilpose_keras.models.backbones import HRNet, MobileNetV2, ResNet, StemNet
from distilpose_keras.models.config import PoseConfig
from distilpose_keras.models.figures import Figures
from distilpose_keras.models.layers import deconvolution, heatmap_layer
from distilpose_keras.models.published_names import as_mmpose_0
from distilpose_keras.types import Tensor


@dataclass(frozen=True)
class SimpleBaseline(PoseConfig):
    """Settings of a SimpleBaselines network.

    Attributes:
        backbone: what makes the coarse feature map.
        deconvolutions: how often it is doubled in size.
        filters: channels of the doubled maps.
        sigma: of the targets' Gaussians, in heatmap pixels.
        dark: whether peaks are refined by DARK, else by a quarter pixel.
        each_axis: whether the quarter pixel is decided along each axis on its own, as
            mmpose 1.x does.
    """

    backbone: ResNet | StemNet | HRNet | MobileNetV2 = ResNet()
    deconvolutions: int = 3
    filters: int = 256
    sigma: float = SIGMA
    dark: bool = False
    each_axis: bool = False

    def __post_init__(self):
        """Check that the input fits."""
        self._check_input_size(self.backbone.divisor, self.backbone.divisor)

    @property
    def codec(self) -> HeatmapCodec:
        """Heatmaps of the size that the deconvolutions reach."""
        factor = 2**self.deconvolutions
        height, width = (factor * n // self.backbone.stride for n in self.input_size)
        codec = EachAxisCodec if self.each_axis else HeatmapCodec
        return codec((height, width), self.sigma, self.dark)

    def build(self, images: Tensor) -> dict[str, Tensor]:
        """Return heatmaps."""
        x = self.backbone(images)
        for i in range(self.deconvolutions):
            x = deconvolution(x, self.filters, i)
        return {"heatmaps": heatmap_layer(x, self.num_keypoints)}

    def label_loss(self, model: Any) -> "LabelLoss":
        """Masked squared error to Gaussians."""
        return HeatmapLoss(self.codec)

    def read_checkpoint(self, state: dict[str, Any]) -> dict[str, Any]:
        """Read the keys of mmpose 1.x too."""
        return as_mmpose_0(state)


MODELS = {
    SimpleBaseline("simple_baseline_resnet50"): Figures(
        33_999_697, 5.426, 34.0, 8.9, 70.4
    ),
    SimpleBaseline("simple_baseline_resnet101", backbone=ResNet(101)): Figures(
        52_991_825, 9.063, 53.0, 12.4, 71.4
    ),
    SimpleBaseline("simple_baseline_resnet152", backbone=ResNet(152)): Figures(
        68_635_473, 12.70, 68.6, 15.7, 72.0
    ),
    # AP of mmpose 1.x's own table, on boxes of a detector and with flip test.
    SimpleBaseline(
        "simple_baseline_mobilenetv2", backbone=MobileNetV2(), each_axis=True
    ): Figures(9_569_809, 1.565, 9.6, 1.6, 64.8),
}
