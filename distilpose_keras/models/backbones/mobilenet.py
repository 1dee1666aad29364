"""MobileNetV2 (Sandler et al., CVPR 2018), as mmpose pads and names it."""

from dataclasses import dataclass
from typing import ClassVar

from keras import ops

from distilpose_keras.models.backbones.blocks import conv_module, depthwise_module
from distilpose_keras.types import Tensor

# Expansion and the first block's strides of each stage (table 2 of the paper).
EXPANSIONS = (1, 6, 6, 6, 6, 6, 6)
STRIDES = (1, 2, 2, 2, 1, 2, 1)
# Stages whose outputs are the maps of strides 4, 8 and 16.
TAPS = (2, 3, 5)


@dataclass(frozen=True)
class MobileNetV2:
    """Seven stages of inverted residuals at strides 2 to 32, and a 1x1 convolution.

    Attributes:
        stem: channels of the first convolution.
        channels: of the stages.
        blocks: of the stages.
        outputs: channels of the last convolution.
    """

    stem: int = 32
    channels: tuple[int, ...] = (16, 24, 32, 64, 96, 160, 320)
    blocks: tuple[int, ...] = (1, 2, 3, 4, 3, 3, 1)
    outputs: int = 1280

    stride: ClassVar[int] = 32
    divisor: ClassVar[int] = 32

    def __post_init__(self):
        """Check that every stage has its numbers."""
        if len(self.channels) != len(STRIDES) or len(self.blocks) != len(STRIDES):
            raise ValueError(
                f"a MobileNetV2 has {len(STRIDES)} stages. Received: "
                f"channels={list(self.channels)}, blocks={list(self.blocks)}"
            )

    def __call__(self, images: Tensor) -> Tensor:
        """Map (B, H, W, 3) to (B, H / 32, W / 32, outputs)."""
        return self.pyramid(images)[-1]

    def pyramid(self, images: Tensor) -> list[Tensor]:
        """Return four maps, at strides 4, 8, 16 and 32; the last is of `__call__`."""
        x = conv_module(
            images, self.stem, 3, strides=2, act=ops.relu6, name="backbone-conv1"
        )
        maps = []
        stages = zip(EXPANSIONS, self.channels, self.blocks, STRIDES, strict=True)
        for stage, (expansion, channels, blocks, strides) in enumerate(stages, start=1):
            for block in range(blocks):
                x = _inverted_residual(
                    x,
                    channels,
                    expansion,
                    strides=strides if block == 0 else 1,
                    name=f"backbone-layer{stage}-{block}-conv",
                )
            if stage in TAPS:
                maps.append(x)
        last = conv_module(x, self.outputs, 1, act=ops.relu6, name="backbone-conv2")
        return [*maps, last]


def _inverted_residual(x, channels, expansion, *, strides, name):
    """Widen, convolve each channel, narrow; beside a shortcut where shapes agree."""
    y, part = x, 0
    if expansion != 1:
        width = expansion * x.shape[-1]
        y = conv_module(y, width, 1, act=ops.relu6, name=f"{name}-{part}")
        part += 1
    y = depthwise_module(y, 3, strides=strides, act=ops.relu6, name=f"{name}-{part}")
    y = conv_module(y, channels, 1, name=f"{name}-{part + 1}")
    return x + y if strides == 1 and x.shape[-1] == channels else y
