"""EfficientNet-Lite0 up to stride 16, with a way back up to stride 4.

The first shipped weights had it. Its batch-norms are folded into the convolutions and
stay folded: a training step on a CPU takes half the time without them, and nothing is
left to fold at export.

Legend: (B, H, W, 3) images; C channels of a map at H / stride x W / stride.
"""

from dataclasses import dataclass
from typing import ClassVar

from keras import layers, ops

from distilpose_keras.models.layers import conv_bn, conv_initializer

STEM_WIDTH = 32
# Channels, expansion, strides, blocks, kernel of each stage (Tan and Le, 2019; "Lite"
# is EfficientNet-B0 without squeeze-and-excitation and with ReLU6). The two stages at
# stride 32, which are three quarters of the parameters, are left out.
STAGES = (
    (16, 1, 1, 1, 3),
    (24, 6, 2, 2, 3),
    (40, 6, 2, 2, 5),
    (80, 6, 2, 3, 3),
    (112, 6, 1, 3, 5),
)
TAPS = {4: 2, 8: 3, 16: 5}  # by stride: the stage whose output is used
TRUNK = "backbone-trunk"


@dataclass(frozen=True)
class Lite:
    """The trunk and the way up; the last of the widths' channels.

    Attributes:
        widths: channels of the way up, at strides 8 and 4.
    """

    widths: tuple[int, int] = (64, 48)

    stride: ClassVar[int] = 4
    divisor: ClassVar[int] = 16

    def __call__(self, images):
        """Map (B, H, W, 3) to (B, H / 4, W / 4, C)."""
        taps = trunk(images, STAGES, TAPS)
        x = taps[16]
        for stride, width in zip((8, 4), self.widths, strict=True):
            name = f"backbone-up{stride}"
            coarse = linear(x, width, name=f"{name}-coarse")
            fine = linear(taps[stride], width, name=f"{name}-fine")
            coarse = ops.image.resize(coarse, fine.shape[1:3], interpolation="nearest")
            x = ops.relu(coarse + fine)
            x = conv_bn(x, width, 3, name=f"{name}-conv", norm_name=f"{name}-bn")
        return x


def trunk(images, stages=STAGES, taps=TAPS):
    """Return {stride: (B, H / stride, W / stride, C)} of the pretrained part.

    Args:
        images: (B, H, W, 3) tensor.
        stages: channels, expansion, strides, blocks and kernel of each.
        taps: {stride: number of the stage whose output is wanted}.
    """
    x = layers.Conv2D(STEM_WIDTH, 3, strides=2, padding="same", name=f"{TRUNK}-stem")(
        images
    )
    x = ops.relu6(x)
    outputs = []
    block = 0
    for width, expansion, strides, count, kernel in stages:
        for repeat in range(count):
            x = inverted_residual(
                x,
                width,
                expansion=expansion,
                strides=strides if repeat == 0 else 1,
                kernel=kernel,
                name=f"{TRUNK}-{block}",
            )
            block += 1
        outputs.append(x)
    return {stride: outputs[stage - 1] for stride, stage in taps.items()}


def inverted_residual(x, width, *, expansion, strides, kernel, name):
    """Widen, convolve each channel, narrow; beside a shortcut where shapes agree."""
    y = x
    if expansion > 1:
        y = ops.relu6(linear(y, expansion * x.shape[-1], name=f"{name}-expand"))
    y = layers.DepthwiseConv2D(
        kernel, strides=strides, padding="same", name=f"{name}-depthwise"
    )(y)
    y = linear(ops.relu6(y), width, name=f"{name}-project")
    return x + y if y.shape == x.shape else y


def linear(x, width, *, name):
    """A 1x1 convolution."""
    return layers.Conv2D(width, 1, kernel_initializer=conv_initializer(), name=name)(x)


def freeze_trunk(model, stages, layout=STAGES):
    """Train all but the stem and the first ``stages`` stages of the trunk.

    Args:
        model: keras.Model with such a trunk.
        stages: 0 freezes nothing; `len(layout)` freezes all stages.
        layout: the stages of the trunk.
    """
    blocks = sum(count for *_, count, _ in layout[:stages])
    frozen = {str(block) for block in range(blocks)} | ({"stem"} if stages else set())
    for layer in model.layers:
        if layer.name.startswith(TRUNK):
            layer.trainable = layer.name.split("-")[2] not in frozen
