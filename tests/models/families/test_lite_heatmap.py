"""Lite-HRNet and SimpleBaselines on MobileNetV2 against mmpose's networks."""

import keras
import numpy as np
import pytest

from distilpose_keras.codecs.each_axis import EachAxisCodec
from distilpose_keras.models.backbones.lite_hrnet import AlignedResize
from distilpose_keras.models.families.lite_hrnet import LiteHRNet
from distilpose_keras.models.presets import MODELS
from tests.models.heatmap_parity import assert_parity, published

NAMES = ["simple_baseline_mobilenetv2", "litehrnet_18"]
TOLERANCE = 1e-3  # of a deviation, as the references state
SIZE = (48, 64)


@pytest.mark.slow
@pytest.mark.backend
@pytest.mark.parametrize("name", NAMES)
def test_published_weights_give_the_published_keypoints(name):
    model, arrays = published(name)
    assert_parity(model, arrays, tolerance=TOLERANCE, size=SIZE)


@pytest.mark.parametrize("name", [*NAMES, "litehrnet_30"])
def test_their_peaks_move_along_each_axis_on_its_own(name):
    assert type(MODELS[name].codec) is EachAxisCodec


@pytest.mark.backend
def test_an_enlarged_map_keeps_its_corners():
    torch = pytest.importorskip("torch")
    maps = np.random.default_rng(0).normal(size=(2, 4, 3, 5)).astype("float32")
    found = keras.ops.convert_to_numpy(AlignedResize((8, 6))(maps))
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(maps.transpose(0, 3, 1, 2)),
        size=(8, 6),
        mode="bilinear",
        align_corners=True,
    )
    np.testing.assert_allclose(found, expected.numpy().transpose(0, 2, 3, 1), atol=1e-5)
    np.testing.assert_allclose(found[:, ::7, ::5], maps[:, ::3, ::2], atol=1e-5)


def test_a_map_of_one_pixel_is_refused():
    with pytest.raises(ValueError, match=r"at least 64 pixels. Received: \[32, 64\]"):
        LiteHRNet("any", input_size=(32, 64))
