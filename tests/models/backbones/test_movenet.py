"""The pretrained backbone against a plain PyTorch one that reads published names."""

import numpy as np
import pytest
from tiny_movenet import BLOCKS, EXTRACTOR, HEAD, published_constants

from distilpose_keras.keypoints import KeypointSchema
from distilpose_keras.models.backbones.lite import TRUNK
from distilpose_keras.models.backbones.movenet import (
    SHARPENING,
    MoveNetFPN,
    read_movenet_weights,
)
from distilpose_keras.models.families.integral import IntegralPose
from distilpose_keras.models.model import build_model
from distilpose_keras.pixels import IMAGE_MEAN, IMAGE_STD

torch = pytest.importorskip("torch")
nn = torch.nn.functional
SIZE = 64, 96


def published_forward(images, constants):
    """Heatmap logits (B, H / 4, W / 4, 17) of images normalised as published."""
    tensors = {name: torch.tensor(value) for name, value in constants.items()}

    def convolve(x, kernel, stride=1):
        kernel = tensors[kernel]
        groups = 1
        if kernel.shape[3] == 1 and kernel.shape[0] == 3:
            kernel, groups = kernel.permute(2, 3, 0, 1), x.shape[1]
        else:
            kernel = kernel.permute(3, 2, 0, 1)
        size = kernel.shape[2]
        pads = []
        for length in (x.shape[3], x.shape[2]):  # the odd pixel: right and below
            total = max((-(-length // stride) - 1) * stride + size - length, 0)
            pads += [total // 2, total - total // 2]
        return nn.conv2d(nn.pad(x, pads), kernel, stride=stride, groups=groups)

    def biased(x, name):
        return x + tensors[name][:, None, None]

    def folded(x, name, kind="Conv2D", stride=1):
        x = convolve(x, f"{name}/{kind}_weights", stride)
        return biased(x, f"{name}/{kind}_bn_offset")

    def plain(x, name):
        x = convolve(x, f"{name}/Conv2D/ReadVariableOp")
        return biased(x, f"{name}/BiasAdd/ReadVariableOp")

    trunk = f"{EXTRACTOR}/model"
    x = torch.tensor(images, dtype=torch.float32).permute(0, 3, 1, 2)
    x = folded(x, f"{trunk}/Conv1", stride=2).clamp(0, 6)
    outputs = []
    for block, (_, expansion, stride) in enumerate(BLOCKS):
        name = f"{trunk}/block_{block}" if block else f"{trunk}/expanded_conv"
        y = x
        if expansion > 1:
            y = folded(y, f"{name}_expand").clamp(0, 6)
        y = folded(y, f"{name}_depthwise", "depthwise", stride).clamp(0, 6)
        y = folded(y, f"{name}_project")
        x = x + y if y.shape == x.shape else y
        outputs.append(x)
    x = plain(folded(x, f"{trunk}/Conv_1").clamp(0, 6), f"{EXTRACTOR}/conv2d")
    for number, tap in enumerate((9, 5, 2)):  # the last blocks at strides 16, 8, 4
        x = nn.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        x = x + plain(outputs[tap], f"{EXTRACTOR}/conv2d_{number + 1}")
        name = f"{EXTRACTOR}/separable_conv2d" + (f"_{number}" if number else "")
        x = convolve(x, f"{name}/separable_conv2d/ReadVariableOp")
        x = folded(x, name, "separable_conv2d").relu()
    name = f"{HEAD}/separable_conv2d_4"
    x = convolve(x, f"{name}/separable_conv2d/ReadVariableOp")
    x = convolve(x, f"{name}/separable_conv2d/ReadVariableOp_1")
    x = biased(x, f"{name}/BiasAdd/ReadVariableOp").relu()
    return plain(x, f"{HEAD}/conv2d_5").permute(0, 2, 3, 1).numpy()


@pytest.fixture(scope="module")
def constants():
    return published_constants(np.random.default_rng(3))


def built(**options):
    config = IntegralPose("nano", input_size=SIZE, backbone=MoveNetFPN())
    return build_model(config, **options)


def maps_of(model, images):
    logits = model.predict(images, verbose=0)["location_logits"]
    return logits.transpose(0, 2, 3, 1)


def test_images_normalised_as_published_give_the_published_heatmaps(constants):
    """Padding included: every pixel of every map."""
    model = built()
    read_movenet_weights(model, constants)
    stem = f"{EXTRACTOR}/model/Conv1/Conv2D"
    location = model.get_layer("keypoint_head-location")
    kernel, bias = location.get_weights()
    location.set_weights([kernel / SHARPENING, bias])
    # Take the published images: without what reading did for our normalisation.
    model.get_layer(f"{TRUNK}-stem").set_weights(
        [constants[f"{stem}_weights"], constants[f"{stem}_bn_offset"]]
    )
    images = np.random.default_rng(5).uniform(-1, 1, (2, *SIZE, 3))
    published = published_forward(images, constants)
    scale = np.abs(published).max()
    np.testing.assert_allclose(
        maps_of(model, images) / scale, published / scale, atol=1e-5
    )


def test_images_normalised_our_way_give_the_published_first_map(constants):
    model = built()
    read_movenet_weights(model, constants)
    kernel, bias = model.get_layer(f"{TRUNK}-stem").get_weights()
    pixels = np.random.default_rng(4).uniform(0, 255, (3, 3, 3))
    ours = np.einsum("hwi,hwio->o", (pixels / 255 - IMAGE_MEAN) / IMAGE_STD, kernel)
    stem = f"{EXTRACTOR}/model/Conv1/Conv2D"
    published = np.einsum(
        "hwi,hwio->o", pixels / 127.5 - 1, constants[f"{stem}_weights"]
    )
    published += constants[f"{stem}_bn_offset"]
    np.testing.assert_allclose(ours + bias, published, atol=1e-5)


def test_a_head_of_other_keypoints_starts_fresh(constants):
    hands = KeypointSchema(("thumb", "index"), (), ((0, 1),), (0.1, 0.1), (0, 1))
    model = built(schema=hands)
    before = model.get_layer("keypoint_head-location").get_weights()
    read_movenet_weights(model, constants)
    after = model.get_layer("keypoint_head-location").get_weights()
    np.testing.assert_array_equal(before[0], after[0])
    features = model.get_layer("backbone-features-pointwise").get_weights()[0]
    name = f"{HEAD}/separable_conv2d_4/separable_conv2d/ReadVariableOp_1"
    np.testing.assert_array_equal(features, constants[name])


def test_a_missing_weight_is_named(constants):
    name = f"{EXTRACTOR}/model/block_3_expand/Conv2D_bn_offset"
    incomplete = {k: v for k, v in constants.items() if k != name}
    with pytest.raises(ValueError, match=r"lack \['.*block_3_expand/Conv2D_bn_offset"):
        read_movenet_weights(built(), incomplete)


def test_a_weight_of_another_shape_is_refused(constants):
    name = f"{EXTRACTOR}/model/Conv1/Conv2D_weights"
    wrong = {**constants, name: np.zeros((5, 5, 3, 32))}
    with pytest.raises(ValueError, match="stem must have weights of shapes"):
        read_movenet_weights(built(), wrong)
