"""Backbones: StemNet, HRNet and ResNet, as functions of an image tensor.

Each takes the function that makes a convolution with its batch-norm, so that the same
graph is built for training and, with batch-norm folded, for deployment.
"""

from keras import layers, ops

from distilpose_keras.models.configs import RESNET_BLOCKS
from distilpose_keras.models.layers import conv_bn as train_conv_bn
from distilpose_keras.models.lite import lite

HRNET_MODULES = {2: 1, 3: 4, 4: 3}  # exchange modules per stage (Sun et al., 2019)
HRNET_BLOCKS = 4  # basic blocks per branch and module


def backbone(images, config, conv_bn=train_conv_bn):
    """Build the configured backbone.

    Args:
        images: (B, H, W, 3) normalised RGB.
        config: `ModelConfig`.
        conv_bn: maker of convolutions, `layers.conv_bn` or one that folds.

    Returns:
        (B, H / 4, W / 4, C) features, or (B, H / 32, W / 32, 2048) of a ResNet.
    """
    builders = {
        "stemnet": stemnet,
        "hrnet": hrnet,
        "resnet": resnet,
        "lite": lite,
    }
    return builders[config.backbone](images, config, conv_bn)


def stemnet(images, config, conv_bn):
    """Two strided convolutions and a few bottlenecks: the first part of HRNet."""
    x = images
    for i in (1, 2):
        x = conv_bn(
            x,
            config.stem_width,
            3,
            strides=2,
            name=f"backbone-conv{i}",
            norm_name=f"backbone-bn{i}",
        )
    for i in range(config.stem_blocks):
        x = bottleneck(x, config.stem_block_width, conv_bn, name=f"backbone-layer1-{i}")
    return x


def bottleneck(x, width, conv_bn, *, name, strides=1):
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


def basic_block(x, conv_bn, *, name):
    """Two 3x3 convolutions that keep the number of channels."""
    width = x.shape[-1]
    y = conv_bn(x, width, 3, name=f"{name}-conv1", norm_name=f"{name}-bn1")
    y = conv_bn(y, width, 3, relu=False, name=f"{name}-conv2", norm_name=f"{name}-bn2")
    return ops.relu(x + y)


def resnet(images, config, conv_bn):
    """ResNet of four stages at strides 4 to 32 (He et al., 2016)."""
    x = conv_bn(
        images, 64, 7, strides=2, name="backbone-conv1", norm_name="backbone-bn1"
    )
    # Zeros pad as well as minus infinity does: the input is a ReLU's output.
    x = layers.MaxPooling2D(3, strides=2)(layers.ZeroPadding2D(1)(x))
    for stage, blocks in enumerate(RESNET_BLOCKS[config.resnet_depth], start=1):
        for block in range(blocks):
            x = bottleneck(
                x,
                64 * 2 ** (stage - 1),
                conv_bn,
                strides=2 if stage > 1 and block == 0 else 1,
                name=f"backbone-layer{stage}-{block}",
            )
    return x


def hrnet(images, config, conv_bn):
    """HRNet up to stage 3 or 4; returns its finest branch."""
    branches = [stemnet(images, config, conv_bn)]
    for stage in range(2, config.hrnet_stages + 1):
        branches = _transition(branches, stage, config.hrnet_width, conv_bn)
        for module in range(HRNET_MODULES[stage]):
            last = stage == config.hrnet_stages and module == HRNET_MODULES[stage] - 1
            branches = _exchange_module(
                branches,
                conv_bn,
                outputs=1 if last else len(branches),
                name=f"backbone-stage{stage}-{module}",
            )
    return branches[0]


def _transition(branches, stage, width, conv_bn):
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


def _exchange_module(branches, conv_bn, *, outputs, name):
    """Basic blocks on every branch, then every output sums all of them."""
    branches = list(branches)
    for i in range(len(branches)):
        for block in range(HRNET_BLOCKS):
            branches[i] = basic_block(
                branches[i], conv_bn, name=f"{name}-branches-{i}-{block}"
            )
    fused = []
    for i in range(outputs):
        total = branches[i]
        for j, branch in enumerate(branches):
            if j != i:
                total = total + _resample(
                    branch, branches[i], i - j, conv_bn, f"{name}-fuse_layers-{i}-{j}"
                )
        fused.append(ops.relu(total))
    return fused


def _resample(x, like, levels, conv_bn, name):
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
