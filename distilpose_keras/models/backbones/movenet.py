"""MobileNetV2 with a feature pyramid, as MoveNet Lightning has them.

MobileNetV2 (Sandler et al., CVPR 2018) down to stride 32 and a pyramid back up to
stride 4 of 1x1 convolutions, sums and separable convolutions, as CenterNet has it in
the Object Detection API. MoveNet Lightning's published weights (Apache-2.0) fit: a
network that has seen a million people knows what knees and elbows look like, which a
few thousand photographs cannot teach. Batch-norms are folded into the convolutions
there, and stay so.

Legend: (B, H, W, 3) images; C channels of a map at H / stride x W / stride.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from keras import layers, ops

from distilpose_keras.models.backbones.lite import TRUNK, linear, trunk
from distilpose_keras.pixels import IMAGE_MEAN, IMAGE_STD

# Channels, expansion, strides, blocks, kernel of each stage (table 2 of the paper).
STAGES = (
    (16, 1, 1, 1, 3),
    (24, 6, 2, 2, 3),
    (32, 6, 2, 3, 3),
    (64, 6, 2, 4, 3),
    (96, 6, 1, 3, 3),
    (160, 6, 2, 3, 3),
    (320, 6, 1, 1, 3),
)
TAPS = {4: 2, 8: 3, 16: 4, 32: 7}  # by stride: the stage whose output is used
TOP_WIDTH = 1280
HEATMAPS = "keypoint_head-location"
# Heatmaps are compared with Gaussians, location maps weigh all pixels by a softmax: the
# same logits five times as high leave what is far from the peak without weight.
SHARPENING = 5
PUBLISHED_MEAN, PUBLISHED_STD = 127.5, 127.5  # of the published input, of 0..255

# What the layers beside the trunk are called in the published graph, without the parts
# that all names begin with.
PREFIXES = (
    "StatefulPartitionedCall/",
    "center_net_mobile_net_v2fpn_feature_extractor/",
)
CONVOLUTIONS = {
    "backbone-up32": "model_1/conv2d",
    "backbone-up16-fine": "model_1/conv2d_1",
    "backbone-up8-fine": "model_1/conv2d_2",
    "backbone-up4-fine": "model_1/conv2d_3",
    HEATMAPS: "kpt_heatmap_0/conv2d_5",
}
SEPARABLES = {
    "backbone-up16": "model_1/separable_conv2d",
    "backbone-up8": "model_1/separable_conv2d_1",
    "backbone-up4": "model_1/separable_conv2d_2",
    "backbone-features": "kpt_heatmap_0/separable_conv2d_4",
}


@dataclass(frozen=True)
class MoveNetFPN:
    """The trunk, the pyramid and the first convolution of MoveNet's heatmap head.

    Attributes:
        widths: channels of the pyramid at strides 32 and 16, 8, 4.
        outputs: channels of the features.
    """

    widths: tuple[int, int, int] = (64, 32, 24)
    outputs: int = 96

    stride: ClassVar[int] = 4
    divisor: ClassVar[int] = 32

    def __call__(self, images):
        """Map (B, H, W, 3) to (B, H / 4, W / 4, outputs)."""
        taps = trunk(images, STAGES, TAPS)
        x = ops.relu6(linear(taps[32], TOP_WIDTH, name=f"{TRUNK}-top"))
        x = linear(x, self.widths[0], name="backbone-up32")
        nexts = (*self.widths[1:], self.widths[-1])
        for stride, width, after in zip((16, 8, 4), self.widths, nexts, strict=True):
            name = f"backbone-up{stride}"
            fine = linear(taps[stride], width, name=f"{name}-fine")
            size = fine.shape[1:3]
            x = ops.image.resize(x, size, interpolation="bilinear") + fine
            x = separable(x, after, name=name)
        return separable(x, self.outputs, name="backbone-features")


def separable(x, width, *, name):
    """A 3x3 convolution of each channel, a 1x1 convolution, ReLU."""
    x = layers.DepthwiseConv2D(
        3, padding="same", use_bias=False, name=f"{name}-depthwise"
    )(x)
    return ops.relu(linear(x, width, name=f"{name}-pointwise"))


def read_movenet_weights(model, constants):
    """Set the backbone, and a head of location maps, to MoveNet Lightning's weights.

    Args:
        model: keras.Model with this backbone at its published widths; where it has 17
            location maps, they start from MoveNet's heatmaps, sharpened.
        constants: {name: array} of the published graph.

    Raises:
        ValueError: if a weight is missing or has another shape.
    """
    found = {_short(name): value for name, value in constants.items()}
    for layer in model.layers:
        names = _published_names(layer.name)
        if not names or not layer.weights:
            continue
        expected = [tuple(w.shape) for w in layer.weights]
        if layer.name == HEATMAPS and expected[-1] != (17,):
            continue
        missing = [name for name in names if name not in found]
        if missing:
            raise ValueError(f"the weights of MoveNet lack {missing}")
        values = [np.asarray(found[name], np.float64) for name in names]
        if layer.name == f"{TRUNK}-stem":
            values = _for_our_images(*values)
        if layer.name == HEATMAPS:
            values = [SHARPENING * values[0], values[1]]
        received = [value.shape for value in values]
        if received != expected:
            raise ValueError(
                f"{layer.name} must have weights of shapes {expected}. "
                f"Received: {received}"
            )
        layer.set_weights(values)


def _short(name):
    """The name of a constant, without what all of them begin with."""
    for prefix in PREFIXES:
        name = name.removeprefix(prefix)
    return name


def _published_names(name):
    """Published names of the weights of a layer; none: they are not from there."""
    if name.startswith(f"{TRUNK}-"):
        return _trunk_names(name.removeprefix(f"{TRUNK}-"))
    if name in CONVOLUTIONS:
        layer = CONVOLUTIONS[name]
        return [f"{layer}/{part}/ReadVariableOp" for part in ("Conv2D", "BiasAdd")]
    layer, _, part = name.rpartition("-")
    if layer not in SEPARABLES:
        return []
    layer = SEPARABLES[layer]
    if part == "depthwise":
        return [f"{layer}/separable_conv2d/ReadVariableOp"]
    if layer.startswith("model_1/"):  # norms folded in
        return [f"{layer}/separable_conv2d_{end}" for end in ("weights", "bn_offset")]
    return [
        f"{layer}/separable_conv2d/ReadVariableOp_1",
        f"{layer}/BiasAdd/ReadVariableOp",
    ]


def _trunk_names(part):
    """Published names of a convolution of the trunk, norms folded in."""
    if part in ("stem", "top"):
        layer, kind = {"stem": "Conv1", "top": "Conv_1"}[part], "Conv2D"
    else:
        block, operation = part.split("-")
        prefix = "expanded_conv" if block == "0" else f"block_{block}"
        layer = f"{prefix}_{operation}"
        kind = "depthwise" if operation == "depthwise" else "Conv2D"
    return [f"model_1/model/{layer}/{kind}_{end}" for end in ("weights", "bn_offset")]


def _for_our_images(kernel, bias):
    """A stem for images normalised by ImageNet's mean and standard deviation.

    Exact but at the border, where zero padding is now the mean colour, not grey.
    """
    scale = 255 * np.array(IMAGE_STD) / PUBLISHED_STD
    shift = (255 * np.array(IMAGE_MEAN) - PUBLISHED_MEAN) / PUBLISHED_STD
    bias = bias + np.einsum("hwio,i->o", kernel, shift)
    return [kernel * scale[:, None], bias]
