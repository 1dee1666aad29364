"""HRNet-W-C (Wang et al., TPAMI 2020): all branches of an HRNet, gathered into one map.

What HRNet classifies images with, before the classifier: features as deep as a
ResNet's, for heads that pool.
"""

from dataclasses import dataclass
from typing import ClassVar

from distilpose_keras.models.backbones.blocks import bottleneck
from distilpose_keras.models.backbones.hrnet import HRNet
from distilpose_keras.models.layers import conv_bn


@dataclass(frozen=True)
class HRNetC:
    """An HRNet of four stages whose branches are added from fine to coarse.

    Attributes:
        hrnet: the `HRNet`; all its four branches are read.
        widths: inner channels of the bottleneck on each branch, the finest first; it
            has four times as many outputs.
        channels: of the map that is returned.
    """

    hrnet: HRNet = HRNet(stages=4)
    widths: tuple[int, int, int, int] = (32, 64, 128, 256)
    channels: int = 2048

    stride: ClassVar[int] = 32
    divisor: ClassVar[int] = 32

    def __post_init__(self):
        """Check that there is a width for each branch."""
        if self.hrnet.stages != len(self.widths):
            raise ValueError(
                f"an HRNet-C has as many widths as its HRNet has stages. Received: "
                f"{list(self.widths)} for {self.hrnet.stages} stages"
            )

    def __call__(self, images):
        """Map (B, H, W, 3) to (B, H / 32, W / 32, channels)."""
        branches = self.hrnet.branches(images, count=len(self.widths))
        total = None
        for i, (branch, width) in enumerate(zip(branches, self.widths, strict=True)):
            x = bottleneck(branch, width, name=f"backbone-incre_modules-{i}-0")
            if total is not None:
                x = x + _with_bias(
                    total, 4 * width, 3, 2, f"backbone-downsamp_modules-{i - 1}"
                )
            total = x
        return _with_bias(total, self.channels, 1, 1, "backbone-final_layer")


def _with_bias(x, filters, kernel_size, strides, name):
    """Convolution with bias, batch-norm, ReLU: the published layers have all three."""
    return conv_bn(
        x,
        filters,
        kernel_size,
        strides=strides,
        use_bias=True,
        name=f"{name}-0",
        norm_name=f"{name}-1",
    )
