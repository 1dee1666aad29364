"""Blocks that backbones share: residual ones (He et al., 2016), mmcv's modules."""

from collections.abc import Callable

from keras import ops

from distilpose_keras.models.layers import conv_bn, depthwise_bn
from distilpose_keras.types import Tensor


def bottleneck(x: Tensor, width: int, *, name: str, strides: int = 1) -> Tensor:
    """1x1, 3x3, 1x1 convolutions; 4 * width channels out; stride on the 3x3."""
    shortcut = x
    if strides != 1 or x.shape[-1] != 4 * width:
        shortcut = conv_bn(
            x,
            4 * width,
            1,
            strides=strides,
            relu=False,
            name=f"{name}-downsample-0",
            norm_name=f"{name}-downsample-1",
        )
    x = conv_bn(x, width, 1, name=f"{name}-conv1", norm_name=f"{name}-bn1")
    x = conv_bn(
        x, width, 3, strides=strides, name=f"{name}-conv2", norm_name=f"{name}-bn2"
    )
    x = conv_bn(
        x, 4 * width, 1, relu=False, name=f"{name}-conv3", norm_name=f"{name}-bn3"
    )
    return ops.relu(x + shortcut)


def basic_block(x: Tensor, *, name: str) -> Tensor:
    """Two 3x3 convolutions that keep the number of channels."""
    width = x.shape[-1]
    y = conv_bn(x, width, 3, name=f"{name}-conv1", norm_name=f"{name}-bn1")
    y = conv_bn(y, width, 3, relu=False, name=f"{name}-conv2", norm_name=f"{name}-bn2")
    return ops.relu(x + y)


def conv_module(
    x: Tensor,
    filters: int,
    kernel_size: int,
    *,
    name: str,
    strides: int = 1,
    act: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """Convolution without bias, batch-norm, an activation: NAME-conv and NAME-bn."""
    x = conv_bn(
        x,
        filters,
        kernel_size,
        strides=strides,
        relu=False,
        name=f"{name}-conv",
        norm_name=f"{name}-bn",
    )
    return x if act is None else act(x)


def depthwise_module(
    x: Tensor,
    kernel_size: int,
    *,
    name: str,
    strides: int = 1,
    act: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """Convolution of each channel on its own, else as `conv_module`."""
    names = {"name": f"{name}-conv", "norm_name": f"{name}-bn"}
    x = depthwise_bn(x, kernel_size, strides=strides, **names)
    return x if act is None else act(x)
