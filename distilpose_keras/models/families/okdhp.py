"""OKDHP (Li et al., ICCV 2021): branches of hourglasses that teach one another.

Three branches stand on one stem and learn from the labels and from their ensemble,
which an aggregation unit weighs joint by joint. One branch is deployed: it predicts
`heatmaps`. Table 1 of DistilPose quotes 13.0 M parameters and 72.8 AP for two stacks,
24.0 M and 74.8 AP for four; the published code's branches have 6.7 M and 13.0 M.
Legend: B samples, N branches, O outputs (every stack of every branch), K keypoints.

    image (B, H, W, 3) -> stem (B, H / 4, W / 4, F) -> N times: hourglasses -> heatmaps
    (B, K, H / 4, W / 4); stem -> shares (B, N, K) -> ensemble (B, K, H / 4, W / 4)
"""

import re
from dataclasses import dataclass
from typing import Any

from keras import layers, ops

from distilpose_keras.codecs.gaussians import SIGMA
from distilpose_keras.codecs.heatmaps import HeatmapCodec
from distilpose_keras.losses.okdhp import OnlineDistillationLoss, ensemble_heatmaps
from distilpose_keras.models.backbones import Hourglass
from distilpose_keras.models.backbones.hourglass import StackNames, conv
from distilpose_keras.models.config import PoseConfig
from distilpose_keras.models.figures import Figures
from distilpose_keras.models.layers import OUTPUT_DTYPE, batch_norm

KERNELS = (3, 5, 7)  # pixels of the aggregation unit's convolutions
SQUEEZED = 4  # times fewer channels between its two linear maps
# A layer's name must not begin with "_": fc__b_0_s_1 is the published _fc_b_0_s_1.
LEADS_ON = re.compile(r"_(fc|score)_")


@dataclass(frozen=True)
class OKDHP(PoseConfig):
    """Settings of the network that OKDHP trains.

    Attributes:
        backbone: the stem and each hourglass.
        branches: N.
        stacks: hourglasses of each branch, the shared ones not counted.
        shared: hourglasses between the stem and the branches.
        sigma: of the targets' Gaussians, in heatmap pixels.
        dark: whether peaks are refined by DARK, else by a quarter pixel.
    """

    backbone: Hourglass = Hourglass()
    branches: int = 3
    stacks: int = 2
    shared: int = 0
    sigma: float = SIGMA
    dark: bool = False

    bgr = True  # the published training reads pictures by OpenCV

    def __post_init__(self):
        """Check that the sizes fit."""
        self._check_input_size(self.backbone.divisor, self.backbone.divisor)
        if self.branches < 1 or self.stacks < 1 or self.shared < 0:
            raise ValueError(
                "there must be at least one branch of one stack. "
                f"Received: branches={self.branches}, stacks={self.stacks}, "
                f"shared={self.shared}"
            )

    @property
    def codec(self):
        """Heatmaps of a quarter of the input."""
        height, width = self.input_size
        size = (height // 4, width // 4)
        return HeatmapCodec(size, self.sigma, self.dark, missing=0.0)

    def build(self, images):
        """Return the first branch's heatmaps, all (B, O, K, h, w), and the ensemble.

        The shared outputs come first, then branch by branch.
        """
        stem = self.backbone(images)
        x, outputs = stem, []
        for i in range(self.shared):
            heatmaps, x = self._stack(x, f"s_{i}", last=False)
            outputs.append(heatmaps)
        finals = []
        for branch in range(self.branches):
            y = x
            for i in range(self.stacks):
                last = i == self.stacks - 1
                heatmaps, y = self._stack(y, f"b_{branch}_s_{i}", last=last)
                outputs.append(heatmaps)
            finals.append(heatmaps)
        shares = self._shares(stem)
        return {
            "heatmaps": finals[0],
            "stacked_heatmaps": ops.stack(outputs, axis=1),
            "ensemble": ensemble_heatmaps(ops.stack(finals, axis=1), shares),
        }

    def _stack(self, x, name, *, last):
        names = StackNames(
            hourglass=f"ind_{name}-0",
            residual=f"ind_{name}-1-0",
            mixed=f"ind_{name}-2",
            heatmaps=f"score_{name}",
            features_back=f"fc__{name}",
            heatmaps_back=f"score__{name}",
        )
        return self.backbone.stack(x, self.num_keypoints, names, last=last)

    def _shares(self, features):
        """Aggregation unit: logits (B, N, K) of (B, h, w, F) features of the stem."""
        width = self.backbone.width
        x = 0
        for i, kernel_size in enumerate(KERNELS):
            y = conv(features, width, kernel_size, name=f"convs-{i}-0")
            x = x + ops.relu(batch_norm(y, f"convs-{i}-1"))
        x = layers.GlobalAveragePooling2D()(x)
        x = layers.Dense(width // SQUEEZED, name="fc", dtype=OUTPUT_DTYPE)(x)
        logits = [
            layers.Dense(self.num_keypoints, name=f"fcs-{i}", dtype=OUTPUT_DTYPE)(x)
            for i in range(self.branches)
        ]
        return ops.stack(logits, axis=1)

    def label_loss(self, model: Any):
        """The labels, the ensemble's, and the distance of the branches to it."""
        return OnlineDistillationLoss(self.codec)

    def read_checkpoint(self, state):
        """Rename what leads features and heatmaps on."""
        return {LEADS_ON.sub(r"\1__", k) if k[0] == "_" else k: state[k] for k in state}


# Parameters and operations of the network that is trained; of two stacks, a branch has
# those of `hourglass_2stack`.
MODELS = {
    OKDHP("okdhp_2stack"): Figures(24_630_297, 32.58),
    OKDHP("okdhp_4stack", stacks=4): Figures(43_497_087, 46.92),
    OKDHP("okdhp_4stack_shared", shared=2): Figures(30_919_227, 37.36),
}
