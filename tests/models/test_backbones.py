"""Backbones: their convolutions against the published counts."""

import math

import keras
import pytest

from distilpose_keras.models.backbones import backbone
from distilpose_keras.models.configs import MODELS
from tests.models import reference


class Convolutions:
    """Stands in for the maker of convolutions; notes what it is asked for."""

    def __init__(self):
        self.made = {}

    def __call__(
        self, x, filters, kernel, *, strides=1, relu=True, name, norm_name=None
    ):
        assert name not in self.made
        _, height, width, channels = x.shape
        parameters = kernel**2 * channels * filters + 2 * filters  # with its norm
        self.made[name] = {"kernel": kernel, "strides": strides, "relu": relu}
        self.made[name]["parameters"] = parameters
        size = math.ceil(height / strides), math.ceil(width / strides)
        return keras.KerasTensor((None, *size, filters))

    def parameters(self):
        return sum(each["parameters"] for each in self.made.values())


def build(name):
    made = Convolutions()
    images = keras.KerasTensor((None, 256, 192, 3))
    return backbone(images, MODELS[name], made), made


@pytest.mark.parametrize("depth", [50, 101, 152])
def test_a_resnet_has_as_many_layers_as_its_name_says(depth):
    features, made = build(f"simple_baseline_resnet{depth}")
    assert tuple(features.shape) == (None, 8, 6, 2048)
    shortcuts = [name for name in made.made if "downsample" in name]
    assert len(shortcuts) == 4
    # The last layer of the name is the classifier, which poses have no use for.
    assert len(made.made) - len(shortcuts) == depth - 1
    # Three deconvolutions of 256 with norms, and 17 maps.
    head = (2048 + 256 + 256) * 256 * 16 + 3 * 512 + 257 * 17
    published = reference.description(f"simple_baseline_resnet{depth}")
    assert made.parameters() + head == published["trainable_params"]


def test_a_resnet_halves_its_maps_in_3x3_convolutions():
    _, made = build("simple_baseline_resnet50")
    strided = {name: v["kernel"] for name, v in made.made.items() if v["strides"] == 2}
    assert strided.pop("backbone-conv1") == 7
    blocks = {
        name.rpartition("-conv")[0]: k for name, k in strided.items() if "-conv" in name
    }
    assert blocks == {f"backbone-layer{stage}-0": 3 for stage in (2, 3, 4)}


@pytest.mark.parametrize("width", [32, 48])
def test_an_hrnet_has_the_published_parameters(width):
    features, made = build(f"hrnet_w{width}")
    assert tuple(features.shape) == (None, 64, 48, width)
    published = reference.description(f"hrnet_w{width}")["trainable_params"]
    assert made.parameters() + (width + 1) * 17 == published


def test_fused_branches_are_summed_before_their_relu():
    _, made = build("hrnet_w32")
    fusions = {name: v for name, v in made.made.items() if "fuse_layers" in name}
    for name, made_of in fusions.items():
        _, target, source, *step = name.rsplit("fuse_layers", 1)[1].split("-")
        levels = int(target) - int(source)
        if levels < 0:  # from a coarser branch: one 1x1, then nearest upsampling
            assert (made_of["kernel"], made_of["strides"]) == (1, 1)
            assert not made_of["relu"]
        else:  # as many halvings as there are levels, the last without ReLU
            assert (made_of["kernel"], made_of["strides"]) == (3, 2)
            assert made_of["relu"] == (int(step[0]) < levels - 1)
    # Of the last module only the finest branch is wanted.
    last = [name for name in fusions if "stage4-2" in name]
    assert sorted(name[-5:] for name in last) == ["0-1-0", "0-2-0", "0-3-0"]


def test_the_stem_quarters_the_image():
    features, made = build("distilpose_s")
    assert tuple(features.shape) == (None, 64, 48, 256)
    strided = [name for name, v in made.made.items() if v["strides"] == 2]
    assert strided == ["backbone-conv1", "backbone-conv2"]
