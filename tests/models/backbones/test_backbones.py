"""Backbones: their convolutions against the published counts."""

import functools
import math

import keras
import pytest

from distilpose_keras.models.presets import MODELS
from tests.models import reference


@functools.cache  # full sizes take seconds; nothing is changed in them
def build(name):
    """A backbone as a model, and its convolutions by name."""
    images = keras.Input((256, 192, 3))
    model = keras.Model(images, MODELS[name].backbone(images))
    convolutions = {
        layer.name: layer
        for layer in model.layers
        if type(layer) is keras.layers.Conv2D
    }
    return model, convolutions


def parameters(model):
    """Trainable parameters."""
    return sum(math.prod(weight.shape) for weight in model.trainable_variables)


@pytest.mark.parametrize("depth", [50, 101, 152])
def test_a_resnet_has_as_many_layers_as_its_name_says(depth):
    model, made = build(f"simple_baseline_resnet{depth}")
    assert model.output.shape == (None, 8, 6, 2048)
    shortcuts = [name for name in made if "downsample" in name]
    assert len(shortcuts) == 4
    # The last layer of the name is the classifier, which poses have no use for.
    assert len(made) - len(shortcuts) == depth - 1
    # Three deconvolutions of 256 with norms, and 17 maps.
    head = (2048 + 256 + 256) * 256 * 16 + 3 * 512 + 257 * 17
    published = reference.description(f"simple_baseline_resnet{depth}")
    assert parameters(model) + head == published["trainable_params"]


def test_a_resnet_halves_its_maps_in_3x3_convolutions():
    _, made = build("simple_baseline_resnet50")
    strided = {
        name: layer.kernel_size[0]
        for name, layer in made.items()
        if layer.strides[0] == 2
    }
    assert strided.pop("backbone-conv1") == 7
    blocks = {
        name.rpartition("-conv")[0]: k for name, k in strided.items() if "-conv" in name
    }
    assert blocks == {f"backbone-layer{stage}-0": 3 for stage in (2, 3, 4)}


@pytest.mark.parametrize("width", [32, 48])
def test_an_hrnet_has_the_published_parameters(width):
    model, _ = build(f"hrnet_w{width}")
    assert model.output.shape == (None, 64, 48, width)
    published = reference.description(f"hrnet_w{width}")["trainable_params"]
    assert parameters(model) + (width + 1) * 17 == published


def test_fused_branches_are_resampled_by_octaves():
    _, made = build("hrnet_w32")
    fusions = {name: layer for name, layer in made.items() if "fuse_layers" in name}
    for name, layer in fusions.items():
        _, target, source, *_ = name.rsplit("fuse_layers", 1)[1].split("-")
        # From a coarser branch one 1x1, else as many halvings as there are levels.
        expected = (1, 1) if int(target) < int(source) else (3, 2)
        assert (layer.kernel_size[0], layer.strides[0]) == expected
    # Of the last module only the finest branch is wanted.
    last = [name for name in fusions if "stage4-2" in name]
    assert sorted(name[-5:] for name in last) == ["0-1-0", "0-2-0", "0-3-0"]


def test_the_stem_quarters_the_image():
    model, made = build("distilpose_s")
    assert model.output.shape == (None, 64, 48, 256)
    strided = [name for name, layer in made.items() if layer.strides[0] == 2]
    assert strided == ["backbone-conv1", "backbone-conv2"]


def test_an_hrnet_gives_as_many_branches_as_wanted():
    images = keras.Input((64, 64, 3))
    backbone = MODELS["hrnet_w32"].backbone
    shapes = [tuple(b.shape[1:]) for b in backbone.branches(images, 4)]
    assert shapes == [(16, 16, 32), (8, 8, 64), (4, 4, 128), (2, 2, 256)]
