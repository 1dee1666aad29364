"""The pretrained trunk against a plain PyTorch one with batch-norms."""

import keras
import numpy as np
import pytest
import tiny_lite

from distilpose_keras.models.backbones.lite import (
    STAGES,
    TRUNK,
    Lite,
    freeze_trunk,
    trunk,
)

torch = pytest.importorskip("torch")


def pad_same(x, kernel, stride):
    """TensorFlow's padding: the odd pixel goes below and to the right."""
    pads = []
    for size in (x.shape[3], x.shape[2]):
        total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        pads += [total // 2, total - total // 2]
    return torch.nn.functional.pad(x, pads)


def published_forward(images, state):
    """Maps (B, H, W, C) by stride, of images normalised as published."""
    tensors = {name: torch.tensor(value) for name, value in state.items()}

    def conv_bn_torch(x, name, norm, stride=1, relu=True):
        weight = tensors[f"{name}.weight"]
        groups = x.shape[1] // weight.shape[1]
        x = pad_same(x, weight.shape[2], stride)
        x = torch.nn.functional.conv2d(x, weight, stride=stride, groups=groups)
        parts = ("running_mean", "running_var", "weight", "bias")
        x = torch.nn.functional.batch_norm(
            x, *(tensors[f"{norm}.{part}"] for part in parts), eps=1e-3
        )
        return x.clamp(0, 6) if relu else x

    x = torch.tensor(images).permute(0, 3, 1, 2)
    x = conv_bn_torch(x, "_conv_stem", "_bn0", 2)
    maps, block = {}, 0
    for _, expansion, strides, count, _ in STAGES:
        for repeat in range(count):
            name, y = f"_blocks.{block}", x
            if expansion > 1:
                y = conv_bn_torch(y, f"{name}._expand_conv", f"{name}._bn0")
            stride = strides if repeat == 0 else 1
            y = conv_bn_torch(y, f"{name}._depthwise_conv", f"{name}._bn1", stride)
            y = conv_bn_torch(y, f"{name}._project_conv", f"{name}._bn2", relu=False)
            x = x + y if y.shape == x.shape else y
            block += 1
        maps[images.shape[1] // x.shape[2]] = x.permute(0, 2, 3, 1).numpy()
    return maps


def fill_trunk(model, state):
    """Set a trunk to published weights, batch-norms folded in."""
    kinds = {
        "expand": ("_expand_conv", "_bn0"),
        "depthwise": ("_depthwise_conv", "_bn1"),
        "project": ("_project_conv", "_bn2"),
    }
    for layer in model.layers:
        if not layer.weights:
            continue
        part = layer.name.removeprefix(f"{TRUNK}-")
        convolution, norm = "_conv_stem", "_bn0"
        if part != "stem":
            block, kind = part.split("-")
            convolution, norm = (f"_blocks.{block}.{name}" for name in kinds[kind])
        scale = state[f"{norm}.weight"] / (state[f"{norm}.running_var"] + 1e-3) ** 0.5
        kernel = state[f"{convolution}.weight"].transpose(2, 3, 1, 0) * scale
        if isinstance(layer, keras.layers.DepthwiseConv2D):
            kernel = kernel.transpose(0, 1, 3, 2)
        bias = state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * scale
        layer.set_weights([kernel, bias])


@pytest.fixture(scope="module")
def state():
    return tiny_lite.published_state(np.random.default_rng(3))


def built_trunk(size):
    images = keras.Input((*size, 3))
    return keras.Model(images, trunk(images))


def test_images_normalised_as_published_give_the_published_maps(state):
    """Padding included: every pixel of every map."""
    size = 64, 48
    model = built_trunk(size)
    fill_trunk(model, state)
    images = np.random.default_rng(5).uniform(-1, 1, (2, *size, 3))
    published = published_forward(images, state)
    ours = model.predict(images, verbose=0)
    for stride in (4, 8, 16):
        scale = np.abs(published[stride]).max()
        np.testing.assert_allclose(
            ours[stride] / scale, published[stride] / scale, atol=1e-5
        )


def test_stages_freeze_from_the_picture_up():
    images = keras.Input((64, 48, 3))
    model = keras.Model(images, Lite()(images))
    freeze_trunk(model, 2)
    frozen = {layer.name.split("-")[2] for layer in model.layers if not layer.trainable}
    assert frozen == {"stem", "0", "1", "2"}
    freeze_trunk(model, 0)
    assert all(layer.trainable for layer in model.layers)


def test_features_have_the_size_that_heads_read():
    features = Lite(widths=(32, 24))(keras.Input((64, 48, 3)))
    assert features.shape == (None, 16, 12, 24)
