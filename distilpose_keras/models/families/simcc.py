"""SimCC (Li et al., ECCV 2022): SimpleBaselines whose maps become two classifications.

mmpose's SimCC on ResNet-50: 72.1 AP on COCO val, a detector's boxes and flip test.
Legend: B samples, K keypoints, X and Y bins of columns and rows, two per pixel.

    image (B, H, W, 3) -> features (B, H / 32, W / 32, 2048) -> three deconvolutions
    -> maps (B, K, H / 4, W / 4), flattened -> logits (B, K, X) and (B, K, Y)
"""

from dataclasses import dataclass
from typing import Any

import keras
from keras import layers, ops

from distilpose_keras.codecs.simcc import SIMCC, SimCCCodec
from distilpose_keras.losses.simcc import SimCCLoss
from distilpose_keras.models.backbones import ResNet
from distilpose_keras.models.config import PoseConfig
from distilpose_keras.models.figures import Figures
from distilpose_keras.models.layers import OUTPUT_DTYPE, deconvolution, heatmap_layer

HEAD = "keypoint_head"


@dataclass(frozen=True)
class SimCC(PoseConfig):
    """Settings of a SimCC network.

    Attributes:
        backbone: what makes the coarse feature map.
        deconvolutions: how often it is doubled in size.
        filters: channels of the doubled maps.
    """

    backbone: ResNet = ResNet()
    deconvolutions: int = 3
    filters: int = 256

    def __post_init__(self):
        """Check that the input fits."""
        self._check_input_size(self.backbone.divisor, self.backbone.divisor)

    @property
    def codec(self):
        """Logits of columns and rows."""
        return SimCCCodec(tuple(self.input_size), SIMCC)

    def build(self, images):
        """Return the logits."""
        x = self.backbone(images)
        for i in range(self.deconvolutions):
            x = deconvolution(x, self.filters, i)
        maps = heatmap_layer(x, self.num_keypoints)
        _, _, rows, columns = maps.shape
        flat = ops.reshape(maps, (-1, self.num_keypoints, rows * columns))
        height, width = self.input_size
        return {
            "x_logits": _linear(flat, 2 * width, f"{HEAD}-mlp_head_x"),
            "y_logits": _linear(flat, 2 * height, f"{HEAD}-mlp_head_y"),
        }

    def label_loss(self, model: Any):
        """Divergence from Gaussians."""
        return SimCCLoss(self.codec)

    def read_checkpoint(self, state):
        """Name the head as SimpleBaselines do; drop preprocessing."""
        named = {
            "head.deconv_head.": f"{HEAD}.",
            "head.mlp_head_": f"{HEAD}.mlp_head_",
        }
        for published, ours in named.items():
            state = {
                ours + key.removeprefix(published)
                if key.startswith(published)
                else key: value
                for key, value in state.items()
            }
        return {
            k: v for k, v in state.items() if not k.startswith("data_preprocessor.")
        }


def _linear(x, units, name):
    return layers.Dense(
        units,
        kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
        name=name,
        dtype=OUTPUT_DTYPE,
    )(x)


MODELS = {
    SimCC("simcc_resnet50"): Figures(36_753_105, 5.4732, paper_ap=72.1),
}
