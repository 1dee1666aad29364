"""Stacked hourglasses (Newell et al., ECCV 2016): heatmaps refined again and again.

The networks that FPD (Zhang et al., CVPR 2019) trains under a teacher and that OKDHP
(Li et al., ICCV 2021) deploys. Neither is in Table 1 of DistilPose as built here: the
parameters it quotes for OKDHP fit no published configuration of so many stacks. Legend:
B samples, S stacks, K keypoints, F channels.

    image (B, H, W, 3) -> stem (B, H / 4, W / 4, F) -> hourglass -> heatmaps, which with
    its features go into the next -> ... -> heatmaps (B, K, H / 4, W / 4) of the last

With a teacher, ``Distiller(..., loss_weights={"regression": 0.5, "teacher_stacks":
0.5})`` is the loss of FPD.
"""

from dataclasses import dataclass
from typing import Any

from keras import ops

from distilpose_keras.codecs.gaussians import SIGMA
from distilpose_keras.codecs.heatmaps import HeatmapCodec
from distilpose_keras.losses.hourglass import StackedHeatmapLoss
from distilpose_keras.models.backbones import Hourglass
from distilpose_keras.models.backbones.hourglass import StackNames
from distilpose_keras.models.config import PoseConfig
from distilpose_keras.models.figures import Figures


@dataclass(frozen=True)
class StackedHourglass(PoseConfig):
    """Settings of a stack of hourglasses.

    Attributes:
        backbone: the stem and each hourglass.
        stacks: S, how many hourglasses.
        sigma: of the targets' Gaussians, in heatmap pixels.
        dark: whether peaks are refined by DARK, else by a quarter pixel.
    """

    backbone: Hourglass = Hourglass()
    stacks: int = 4
    sigma: float = SIGMA
    dark: bool = False

    bgr = True  # the published training reads pictures by OpenCV

    def __post_init__(self):
        """Check that the sizes fit."""
        self._check_input_size(self.backbone.divisor, self.backbone.divisor)
        if self.stacks < 1:
            raise ValueError(f"stacks must be at least 1. Received: {self.stacks}")

    @property
    def codec(self):
        """Heatmaps of a quarter of the input."""
        height, width = self.input_size
        size = (height // 4, width // 4)
        return HeatmapCodec(size, self.sigma, self.dark, missing=0.0)

    def build(self, images):
        """Return the heatmaps of the last stack, and those of all (B, S, K, h, w)."""
        x, stacks = self.backbone(images), []
        for i in range(self.stacks):
            heatmaps, x = self.backbone.stack(
                x, self.num_keypoints, _names(i), last=i == self.stacks - 1
            )
            stacks.append(heatmaps)
        return {"heatmaps": heatmaps, "stacked_heatmaps": ops.stack(stacks, axis=1)}

    def label_loss(self, model: Any):
        """Masked squared error of every stack to Gaussians."""
        return StackedHeatmapLoss(self.codec)


def _names(stack):
    return StackNames(
        hourglass=f"hg-{stack}",
        residual=f"res-{stack}-0",
        mixed=f"fc-{stack}",
        heatmaps=f"score-{stack}",
        features_back=f"fc_-{stack}",
        heatmaps_back=f"score_-{stack}",
    )


NARROW = Hourglass(128)

MODELS = {
    StackedHourglass("hourglass_2stack", stacks=2): Figures(6_731_682, 6.744),
    StackedHourglass("hourglass_4stack", stacks=4): Figures(13_020_612, 11.52),
    StackedHourglass("hourglass_8stack", stacks=8): Figures(25_598_472, 21.08),
    # By the names of FPD: stacks and width.
    StackedHourglass("hourglass_4_128", backbone=NARROW): Figures(3_288_836, 2.933),
    StackedHourglass("hourglass_4_256", stacks=4): Figures(13_020_612, 11.52),
    StackedHourglass("hourglass_8_256", stacks=8): Figures(25_598_472, 21.08),
}
