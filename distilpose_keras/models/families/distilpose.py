"""DistilPose (Ye et al., CVPR 2023): keypoint tokens to coordinates, under a teacher.

Table 1 of the paper: DistilPose-S 5.36 M parameters, 2.38 GFLOPs, 71.6 AP on COCO val;
DistilPose-L 21.27 M, 10.33, 74.4. Legend: B samples, K keypoints, D channels of a
token, P visual tokens, (H, W) the input.

    image (B, H, W, 3) -> features (B, H / 4, W / 4, C) -> patches (B, P, D)
    [keypoint tokens | patches] (B, K + P, D) -> transformer -> keypoint tokens
    -> (x, y, score, sigmas) (B, K, 5)
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from keras import ops

from distilpose_keras.codecs.coordinates import CoordinateCodec
from distilpose_keras.losses.labels import CoordinateLoss
from distilpose_keras.models.backbones import HRNet, StemNet
from distilpose_keras.models.config import PoseConfig
from distilpose_keras.models.deployed_tokens import (
    dense as deployed_dense,
)
from distilpose_keras.models.deployed_tokens import (
    deployed_keypoint_tokens,
    linear_after_norm,
    norm,
    quantized_tokens,
)
from distilpose_keras.models.figures import Figures
from distilpose_keras.models.folding import float_dense
from distilpose_keras.models.layers import (
    OUTPUT_DTYPE,
    dense,
    layer_norm,
    positive_sigmas,
    scores_and_sigmas,
)
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

HEAD = "keypoint_head-tokenhead"


@dataclass(frozen=True)
class DistilPose(PoseConfig):
    """Settings of a DistilPose.

    Attributes:
        backbone: what makes the feature map of stride 4.
        transformer: its sizes.
        num_sigmas: 2, or 1 where x and y share one sigma (the paper's Table B).
    """

    backbone: StemNet | HRNet = StemNet()
    transformer: TokenTransformer = TokenTransformer()
    num_sigmas: int = 2

    integer_only = True
    distillable = True
    codec = CoordinateCodec()

    def __post_init__(self):
        """Check that the sizes fit."""
        check_token_input(self)
        if self.num_sigmas not in (1, 2):
            raise ValueError(
                f"num_sigmas must be one of (1, 2). Received: {self.num_sigmas!r}"
            )

    def build(self, images: Tensor) -> dict[str, Tensor]:
        """Return keypoints, scores, sigmas and the tokens that are distilled."""
        features = self.backbone(images)
        keypoint_tokens, visual_tokens = tokens(
            features, self.transformer, self.num_keypoints, name=HEAD
        )
        x = layer_norm(keypoint_tokens, f"{HEAD}-mlp_head-0", dtype=OUTPUT_DTYPE)
        x = dense(x, 3 + self.num_sigmas, f"{HEAD}-mlp_head-1", dtype=OUTPUT_DTYPE)
        return {
            "keypoints": ops.sigmoid(x[..., :2]),
            **scores_and_sigmas(x),
            "keypoint_tokens": keypoint_tokens,
            "visual_tokens": visual_tokens,
        }

    def label_loss(self, model: Any) -> "LabelLoss":
        """Smooth L1 of the coordinates (section 3.3)."""
        return CoordinateLoss()

    def read_checkpoint(self, state: dict[str, Any]) -> dict[str, Any]:
        """Drop the stored position code, which is computed."""
        return without_positions(state, self)

    def deploy(self, folding: "Folding") -> dict[str, Tensor]:
        """Leave out the sigmas and what only visual tokens need."""
        x = deployed_keypoint_tokens(
            folding, self.transformer, self.num_keypoints, name=HEAD
        )
        x = norm(folding, x, f"{HEAD}-mlp_head-0")
        kernel, bias = linear_after_norm(
            folding, f"{HEAD}-mlp_head-1", f"{HEAD}-mlp_head-0"
        )
        # Two maps, so that a quantized graph has one range for each.
        keypoints = deployed_dense(x, kernel[:, :2], bias[:2], f"{HEAD}-keypoints")
        scores = deployed_dense(x, kernel[:, 2:3], bias[2:3], f"{HEAD}-scores")
        return {"keypoints": ops.sigmoid(keypoints), "scores": scores}

    def quantized_outputs(self, quantized: Any, model: Any) -> dict[str, Tensor]:
        """The sigmas, and the tokens that are distilled, in float32.

        Tokens are without their mean over channels, which a deployed graph does not
        have: the token losses differ by a constant from those of the model.
        """
        head = f"{HEAD}-mlp_head"
        gamma, beta = model.get_layer(f"{head}-0").get_weights()
        kernel, bias = model.get_layer(f"{head}-1").get_weights()
        raw = float_dense(
            quantized.outputs[f"{head}-0"],
            (gamma[:, None] * kernel)[:, 3:],
            (bias + beta @ kernel)[3:],
            name=f"{HEAD}-sigmas",
        )
        keypoint_tokens, visual_tokens = quantized_tokens(
            quantized, self.transformer, self.num_keypoints, HEAD, f"{head}-0"
        )
        return {
            "sigmas": positive_sigmas(raw),
            "keypoint_tokens": keypoint_tokens,
            "visual_tokens": visual_tokens,
        }


_DEMO = {  # a pair that two CPU cores train in minutes
    "input_size": (64, 48),
    "transformer": TokenTransformer(dim=64, layers=3, heads=4, mlp_ratio=2),
}

MODELS = {
    DistilPose("distilpose_s"): Figures(5_364_101, 2.705, 5.36, 2.38, 71.6),
    DistilPose("distilpose_l", backbone=HRNet(48, stages=3)): Figures(
        21_265_637, 10.61, 21.27, 10.33, 74.4
    ),
    DistilPose(
        "demo_student", backbone=StemNet(width=16, blocks=1, block_width=16), **_DEMO
    ): Figures(158_325, 0.006113),
}
