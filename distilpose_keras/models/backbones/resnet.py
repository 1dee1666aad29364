"""ResNet (He et al., 2016), with strides on the 3x3 convolutions."""

from dataclasses import dataclass

from keras import layers

from distilpose_keras.models.backbones.blocks import bottleneck
from distilpose_keras.models.layers import conv_bn
from distilpose_keras.types import Tensor

BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


@dataclass(frozen=True)
class ResNet:
    """Stages of bottlenecks at strides 4, 8, 16 and 32.

    Attributes:
        depth: 50, 101 or 152.
        width: channels of the stem and inner channels of the first stage.
        stages: 1 to 4.
    """

    depth: int = 50
    width: int = 64
    stages: int = 4

    def __post_init__(self):
        """Check depth and stages."""
        if self.depth not in BLOCKS:
            raise ValueError(
                f"a ResNet's depth must be one of {tuple(BLOCKS)}. "
                f"Received: {self.depth!r}"
            )
        if self.stages not in range(1, 5):
            raise ValueError(f"a ResNet has 1 to 4 stages. Received: {self.stages!r}")

    @property
    def stride(self):
        """Of the feature map."""
        return 2 ** (self.stages + 1)

    @property
    def divisor(self):
        """Of the image, for all maps to be whole."""
        return self.stride

    def __call__(self, images: Tensor) -> Tensor:
        """Map (B, H, W, 3) to (B, H / stride, W / stride, stride * width)."""
        return self.pyramid(images)[-1]

    def pyramid(self, images: Tensor) -> list[Tensor]:
        """Return the maps of all stages, at strides 4, 8, 16 and 32."""
        x = conv_bn(
            images,
            self.width,
            7,
            strides=2,
            name="backbone-conv1",
            norm_name="backbone-bn1",
        )
        # Zeros pad as well as minus infinity does: the input is a ReLU's output.
        x = layers.MaxPooling2D(3, strides=2)(layers.ZeroPadding2D(1)(x))
        maps = []
        for stage, blocks in enumerate(BLOCKS[self.depth][: self.stages], start=1):
            for block in range(blocks):
                x = bottleneck(
                    x,
                    self.width * 2 ** (stage - 1),
                    strides=2 if stage > 1 and block == 0 else 1,
                    name=f"backbone-layer{stage}-{block}",
                )
            maps.append(x)
        return maps
