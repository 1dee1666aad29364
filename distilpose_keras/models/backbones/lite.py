"""EfficientNet-Lite0 up to stride 16, with a way back up to stride 4.

The trunk starts from weights that were trained to classify ImageNet: a few thousand
people cannot teach a network what edges, limbs and faces look like, a million pictures
did. Its batch-norms are folded into the convolutions when these weights are read and
stay folded: their statistics are ImageNet's, a training step on a CPU takes half the
time without them, and nothing is left to fold at export.

Legend: (B, H, W, 3) images; C channels of a map at H / stride x W / stride.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from keras import layers, ops

from distilpose_keras.models.layers import conv_bn, conv_initializer
from distilpose_keras.pixels import IMAGE_MEAN, IMAGE_STD

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
PUBLISHED_EPSILON = 1e-3  # of the published batch-norms
PUBLISHED_MEAN, PUBLISHED_STD = 127.0, 128.0  # of the published input, of 0..255


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
        taps = trunk(images)
        x = taps[16]
        for stride, width in zip((8, 4), self.widths, strict=True):
            name = f"backbone-up{stride}"
            coarse = _linear(x, width, name=f"{name}-coarse")
            fine = _linear(taps[stride], width, name=f"{name}-fine")
            coarse = ops.image.resize(coarse, fine.shape[1:3], interpolation="nearest")
            x = ops.relu(coarse + fine)
            x = conv_bn(x, width, 3, name=f"{name}-conv", norm_name=f"{name}-bn")
        return x


def trunk(images):
    """Return {stride: (B, H / stride, W / stride, C)} of the pretrained part."""
    x = layers.Conv2D(STEM_WIDTH, 3, strides=2, padding="same", name=f"{TRUNK}-stem")(
        images
    )
    x = ops.relu6(x)
    outputs = []
    block = 0
    for width, expansion, strides, count, kernel in STAGES:
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
    return {stride: outputs[stage - 1] for stride, stage in TAPS.items()}


def inverted_residual(x, width, *, expansion, strides, kernel, name):
    """Widen, convolve each channel, narrow; beside a shortcut where shapes agree."""
    y = x
    if expansion > 1:
        y = ops.relu6(_linear(y, expansion * x.shape[-1], name=f"{name}-expand"))
    y = layers.DepthwiseConv2D(
        kernel, strides=strides, padding="same", name=f"{name}-depthwise"
    )(y)
    y = _linear(ops.relu6(y), width, name=f"{name}-project")
    return x + y if y.shape == x.shape else y


def _linear(x, width, *, name):
    """A 1x1 convolution."""
    return layers.Conv2D(width, 1, kernel_initializer=conv_initializer(), name=name)(x)


def freeze_trunk(model, stages):
    """Train all but the stem and the first ``stages`` stages of the trunk.

    Args:
        model: keras.Model with this backbone.
        stages: 0 freezes nothing; `len(STAGES)` freezes the whole trunk.
    """
    blocks = sum(count for *_, count, _ in STAGES[:stages])
    frozen = {str(block) for block in range(blocks)} | ({"stem"} if stages else set())
    for layer in model.layers:
        if layer.name.startswith(TRUNK):
            layer.trainable = layer.name.split("-")[2] not in frozen


def read_imagenet_weights(model, state):
    """Set the trunk to published EfficientNet-Lite0 weights, batch-norms folded in.

    Args:
        model: keras.Model with this backbone.
        state: dict of name to array, as the PyTorch files of EfficientNet-Lite0 name
            them; stages and the classifier that the trunk has not are passed over.

    Raises:
        ValueError: if a weight is missing or has another shape.
    """
    for layer in model.layers:
        if layer.name.startswith(TRUNK) and layer.weights:
            kernel, bias = _folded(state, *_published_names(layer.name))
            if isinstance(layer, layers.DepthwiseConv2D):
                kernel = kernel.transpose(0, 1, 3, 2)
            if layer.name == f"{TRUNK}-stem":
                kernel, bias = _for_our_images(kernel, bias)
            expected = [tuple(w.shape) for w in layer.weights]
            if expected != [kernel.shape, bias.shape]:
                raise ValueError(
                    f"{layer.name} must have weights of shapes {expected}. "
                    f"Received: {[kernel.shape, bias.shape]}"
                )
            layer.set_weights([kernel, bias])


def _published_names(name):
    """Published names of the convolution and the batch-norm of a layer."""
    part = name.removeprefix(f"{TRUNK}-")
    if part == "stem":
        return "_conv_stem", "_bn0"
    block, kind = part.split("-")
    convolution, norm = {
        "expand": ("_expand_conv", "_bn0"),
        "depthwise": ("_depthwise_conv", "_bn1"),
        "project": ("_project_conv", "_bn2"),
    }[kind]
    return f"_blocks.{block}.{convolution}", f"_blocks.{block}.{norm}"


def _folded(state, convolution, norm):
    """Kernel (h, w, in, out) and bias (out,) of a convolution and its batch-norm."""
    names = [f"{convolution}.weight"] + [
        f"{norm}.{part}" for part in ("weight", "bias", "running_mean", "running_var")
    ]
    missing = [name for name in names if name not in state]
    if missing:
        raise ValueError(f"the weights of EfficientNet-Lite0 lack {missing}")
    kernel, gamma, beta, mean, variance = (
        np.asarray(state[name], np.float64) for name in names
    )
    scale = gamma / np.sqrt(variance + PUBLISHED_EPSILON)
    return kernel.transpose(2, 3, 1, 0) * scale, beta - mean * scale


def _for_our_images(kernel, bias):
    """A stem for images normalised by ImageNet's mean and standard deviation.

    Exact but at the border, where zero padding is now the mean colour, not grey 127.
    """
    scale = 255 * np.array(IMAGE_STD) / PUBLISHED_STD
    shift = (255 * np.array(IMAGE_MEAN) - PUBLISHED_MEAN) / PUBLISHED_STD
    bias = bias + np.einsum("hwio,i->o", kernel, shift)
    return kernel * scale[:, None], bias
