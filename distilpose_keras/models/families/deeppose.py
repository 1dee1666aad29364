"""DeepPose (Toshev and Szegedy, CVPR 2014): pooled features to coordinates.

As published by mmpose, linear and without a score; with `confidence`, the student of
the paper's Table 6, which heatmaps of SimpleBaselines teach.

    image (B, H, W, 3) -> features (B, H / 32, W / 32, 2048) -> their mean (B, 2048)
    -> (x, y[, score, sigmas]) (B, K, 2 or 5)
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
from keras import layers, ops

from distilpose_keras.codecs.coordinates import CoordinateCodec
from distilpose_keras.losses.labels import CoordinateLoss
from distilpose_keras.models.backbones import HRNet, ResNet, StemNet
from distilpose_keras.models.config import PoseConfig
from distilpose_keras.models.figures import Figures
from distilpose_keras.models.folding import float_dense, with_weights
from distilpose_keras.models.layers import (
    OUTPUT_DTYPE,
    positive_sigmas,
    scores_and_sigmas,
)
from distilpose_keras.types import Tensor

if TYPE_CHECKING:
    from distilpose_keras.losses.labels import LabelLoss
    from distilpose_keras.models.folding import Folding

HEAD = "keypoint_head"


@dataclass(frozen=True)
class DeepPose(PoseConfig):
    """Settings of a DeepPose.

    Attributes:
        backbone: what makes the feature map.
        confidence: whether a score and sigmas are predicted too, which a student that
            is taught by heatmaps needs. Without it every score is 1, as in the
            published decoder.
        num_sigmas: 2, or 1 where x and y share one sigma.
    """

    backbone: ResNet | StemNet | HRNet = ResNet()
    confidence: bool = True
    num_sigmas: int = 2

    integer_only = True
    codec = CoordinateCodec()

    def __post_init__(self):
        """Check that the sizes fit."""
        self._check_input_size(self.backbone.divisor, self.backbone.divisor)
        if self.num_sigmas not in (1, 2):
            raise ValueError(
                f"num_sigmas must be one of (1, 2). Received: {self.num_sigmas!r}"
            )

    @property
    def distillable(self) -> bool:
        """Whether there are scores and sigmas to teach."""
        return self.confidence

    def build(self, images: Tensor) -> dict[str, Tensor]:
        """Return keypoints and scores, and sigmas with `confidence`."""
        return self.head(self.backbone(images))

    def head(self, features: Tensor) -> Tensor:
        """Map pooled (B, h, w, C) features to the outputs."""
        outputs = 3 + self.num_sigmas if self.confidence else 2
        x = layers.GlobalAveragePooling2D()(features)
        x = layers.Dense(
            self.num_keypoints * outputs,
            kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
            name=f"{HEAD}-fc",
            dtype=OUTPUT_DTYPE,
        )(x)
        x = ops.reshape(x, (-1, self.num_keypoints, outputs))
        if not self.confidence:
            return {"keypoints": x, "scores": ops.ones_like(x[..., :1])}
        return {"keypoints": x[..., :2], **scores_and_sigmas(x)}

    def label_loss(self, model: Any) -> "LabelLoss":
        """Smooth L1 of the coordinates."""
        return CoordinateLoss()

    def deploy(self, folding: "Folding") -> dict[str, Tensor]:
        """Sort the outputs of the linear map by kind: one integer range for each."""
        k = self.num_keypoints
        x = folding.input_of(f"{HEAD}-fc")
        kernel, bias = folding.linear(f"{HEAD}-fc")
        kernel, bias = kernel.reshape(len(kernel), k, -1), bias.reshape(k, -1)

        def linear(begin, end, name):
            weights = kernel[..., begin:end].reshape(len(kernel), -1)
            layer = layers.Dense(weights.shape[-1], name=f"{HEAD}-{name}")
            y = with_weights(layer, x, weights, bias[:, begin:end].ravel())
            return ops.reshape(y, (y.shape[0] or -1, k, end - begin))

        keypoints = linear(0, 2, "keypoints")
        if not self.confidence:
            return {"keypoints": keypoints, "scores": ops.ones_like(keypoints[..., :1])}
        return {"keypoints": keypoints, "scores": linear(2, 3, "scores")}

    def quantized_outputs(self, quantized: Any, model: Any) -> dict[str, Tensor]:
        """The sigmas, in float32."""
        k = self.num_keypoints
        kernel, bias = model.get_layer(f"{HEAD}-fc").get_weights()
        kernel = kernel.reshape(len(kernel), k, -1)[..., 3:]
        bias = bias.reshape(k, -1)[:, 3:]
        raw = float_dense(
            quantized.model.get_layer(f"{HEAD}-keypoints").input,
            kernel.reshape(len(kernel), -1),
            bias.ravel(),
            name=f"{HEAD}-sigmas",
        )
        raw = ops.reshape(raw, (-1, k, bias.shape[-1]))
        return {"sigmas": positive_sigmas(raw)}


MODELS = {
    DeepPose("deeppose_resnet50", confidence=False): Figures(23_577_698, 4.004),
    DeepPose("deeppose_resnet50_distilled"): Figures(23_682_197, 4.004),
}
