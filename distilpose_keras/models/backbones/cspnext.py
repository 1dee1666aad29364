"""CSPNeXt (RTMDet, Lyu et al., 2022): the backbone of RTMPose."""

from dataclasses import dataclass
from typing import ClassVar

from keras import layers, ops

from distilpose_keras.models.backbones.blocks import conv_module, depthwise_module

POOLS = (5, 9, 13)  # of the spatial pyramid before the last stage's blocks


@dataclass(frozen=True)
class CSPNeXt:
    """A stem and four stages at strides 4 to 32; the last stage's channels.

    Attributes:
        stem: channels of the three convolutions before the stages.
        channels: of the four stages.
        blocks: residual blocks of the four stages.
    """

    stem: tuple[int, int, int] = (12, 12, 24)
    channels: tuple[int, int, int, int] = (48, 96, 192, 384)
    blocks: tuple[int, int, int, int] = (1, 1, 1, 1)

    stride: ClassVar[int] = 32
    divisor: ClassVar[int] = 32

    def __call__(self, images):
        """Map (B, H, W, 3) to (B, H / 32, W / 32, C)."""
        x = images
        for i, filters in enumerate(self.stem):
            strides = 2 if i == 0 else 1
            x = conv_silu(x, filters, 3, strides=strides, name=f"backbone-stem-{i}")
        for i, (filters, blocks) in enumerate(
            zip(self.channels, self.blocks, strict=True), start=1
        ):
            name = f"backbone-stage{i}"
            last = i == len(self.channels)
            x = conv_silu(x, filters, 3, strides=2, name=f"{name}-0")
            if last:
                x = _pyramid(x, name=f"{name}-1")
            # No sums in the last stage.
            x = _csp_layer(x, blocks, sums=not last, name=f"{name}-{2 if last else 1}")
        return x


def conv_silu(x, filters, kernel_size, *, name, strides=1):
    """Convolution without bias, batch-norm, SiLU."""
    return conv_module(
        x, filters, kernel_size, strides=strides, act=ops.silu, name=name
    )


def _pyramid(x, *, name):
    """Maxima of three neighbourhoods beside each pixel."""
    filters = x.shape[-1]
    x = conv_silu(x, filters // 2, 1, name=f"{name}-conv1")
    pools = [layers.MaxPooling2D(k, strides=1, padding="same")(x) for k in POOLS]
    x = ops.concatenate([x, *pools], axis=-1)
    return conv_silu(x, filters, 1, name=f"{name}-conv2")


def _csp_layer(x, blocks, *, sums, name):
    """Blocks on half of the channels, beside the other half; channel attention."""
    filters = x.shape[-1]
    main = conv_silu(x, filters // 2, 1, name=f"{name}-main_conv")
    short = conv_silu(x, filters // 2, 1, name=f"{name}-short_conv")
    for i in range(blocks):
        main = _block(main, sums=sums, name=f"{name}-blocks-{i}")
    x = ops.concatenate([main, short], axis=-1)
    mean = layers.GlobalAveragePooling2D(keepdims=True)(x)
    gates = layers.Conv2D(filters, 1, name=f"{name}-attention-fc")(mean)
    x = x * ops.hard_sigmoid(gates)
    return conv_silu(x, filters, 1, name=f"{name}-final_conv")


def _block(x, *, sums, name):
    """A 3x3 convolution, then a separable one of 5x5."""
    y = conv_silu(x, x.shape[-1], 3, name=f"{name}-conv1")
    y = depthwise_module(y, 5, act=ops.silu, name=f"{name}-conv2-depthwise_conv")
    y = conv_silu(y, x.shape[-1], 1, name=f"{name}-conv2-pointwise_conv")
    return x + y if sums else y
