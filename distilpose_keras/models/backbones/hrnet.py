"""HRNet (Sun et al., 2019): branches of four resolutions that exchange features."""

from dataclasses import dataclass
from typing import ClassVar

from keras import ops

from distilpose_keras.models.backbones.blocks import basic_block
from distilpose_keras.models.backbones.stemnet import StemNet
from distilpose_keras.models.layers import conv_bn
from distilpose_keras.types import Tensor


@dataclass(frozen=True)
class HRNet:
    """HRNet up to stage 3 or 4, and its finest branch.

    Attributes:
        width: channels of the finest branch; each coarser one has twice as many.
        stages: 3 or 4.
        stem: the `StemNet` before the first exchange.
        modules: exchange modules of stages 2, 3 and 4.
        blocks: basic blocks of each branch in a module.
    """

    width: int = 48
    stages: int = 3
    stem: StemNet = StemNet()
    modules: tuple[int, int, int] = (1, 4, 3)
    blocks: int = 4

    stride: ClassVar[int] = 4

    def __post_init__(self):
        """Check the stages."""
        if self.stages not in (3, 4):
            raise ValueError(f"an HRNet has 3 or 4 stages. Received: {self.stages!r}")

    @property
    def divisor(self) -> int:
        """Of the image, for all maps to be whole."""
        return 2 ** (self.stages + 1)

    def __call__(self, images: Tensor) -> Tensor:
        """Map (B, H, W, 3) to (B, H / 4, W / 4, width)."""
        return self.branches(images, count=1)[0]

    def pyramid(self, images: Tensor) -> list[Tensor]:
        """Return the maps of all branches, at strides 4, 8, 16 and 32."""
        return self.branches(images, count=self.stages)

    def branches(self, images: Tensor, count: int) -> list[Tensor]:
        """Return the finest `count` branches of the last stage, the finest first."""
        branches = [self.stem(images)]
        for stage in range(2, self.stages + 1):
            branches = _transition(branches, stage, self.width)
            modules = self.modules[stage - 2]
            for module in range(modules):
                last = stage == self.stages and module == modules - 1
                branches = _exchange_module(
                    branches,
                    self.blocks,
                    outputs=count if last else len(branches),
                    name=f"backbone-stage{stage}-{module}",
                )
        return branches


def _transition(branches, stage, width):
    """Give the branches the stage's widths and add a coarser one."""
    name = f"backbone-transition{stage - 1}"
    out = list(branches)
    if stage == 2:
        out[0] = conv_bn(
            branches[0], width, 3, name=f"{name}-0-0", norm_name=f"{name}-0-1"
        )
    new = len(branches)
    out.append(
        conv_bn(
            branches[-1],
            width * 2**new,
            3,
            strides=2,
            name=f"{name}-{new}-0-0",
            norm_name=f"{name}-{new}-0-1",
        )
    )
    return out


def _exchange_module(branches, blocks, *, outputs, name):
    """Basic blocks on every branch, then every output sums all of them."""
    branches = list(branches)
    for i in range(len(branches)):
        for block in range(blocks):
            branches[i] = basic_block(branches[i], name=f"{name}-branches-{i}-{block}")
    fused = []
    for i in range(outputs):
        total = branches[i]
        for j, branch in enumerate(branches):
            if j != i:
                total = total + _resample(
                    branch, branches[i], i - j, f"{name}-fuse_layers-{i}-{j}"
                )
        fused.append(ops.relu(total))
    return fused


def _resample(x, like, levels, name):
    """Bring a branch to the size and width of `like`, `levels` octaves coarser."""
    width = like.shape[-1]
    if levels < 0:
        x = conv_bn(x, width, 1, relu=False, name=f"{name}-0", norm_name=f"{name}-1")
        return ops.image.resize(x, like.shape[1:3], interpolation="nearest")
    for step in range(levels):
        last = step == levels - 1
        x = conv_bn(
            x,
            width if last else x.shape[-1],
            3,
            strides=2,
            relu=not last,
            name=f"{name}-{step}-0",
            norm_name=f"{name}-{step}-1",
        )
    return x
