"""StemNet: the first part of HRNet, which TokenPose and DistilPose-S build on."""

from dataclasses import dataclass
from typing import ClassVar

from distilpose_keras.models.backbones.blocks import bottleneck
from distilpose_keras.models.layers import conv_bn
from distilpose_keras.types import Tensor


@dataclass(frozen=True)
class StemNet:
    """Two strided convolutions and a few bottlenecks; 4 * block_width channels.

    Attributes:
        width: channels of the two strided convolutions.
        blocks: bottlenecks after them.
        block_width: inner channels of these.
    """

    width: int = 64
    blocks: int = 4
    block_width: int = 64

    stride: ClassVar[int] = 4  # of the feature map
    divisor: ClassVar[int] = 4  # of the image, for all maps to be whole

    def __call__(self, images: Tensor) -> Tensor:
        """Map (B, H, W, 3) to (B, H / 4, W / 4, C)."""
        x = images
        for i in (1, 2):
            x = conv_bn(
                x,
                self.width,
                3,
                strides=2,
                name=f"backbone-conv{i}",
                norm_name=f"backbone-bn{i}",
            )
        for i in range(self.blocks):
            x = bottleneck(x, self.block_width, name=f"backbone-layer1-{i}")
        return x
