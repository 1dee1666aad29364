"""Heatmaps between pixels against the published targets, and by hand."""

import keras
import numpy as np
import pytest

from distilpose_keras.codecs.subpixel import SubpixelCodec, draw_gaussians
from distilpose_keras.geometry import ALIGNED
from distilpose_keras.keypoints import COCO_17
from distilpose_keras.models.decoding import Decode

CROP, HEATMAP = (256, 192), (64, 48)
CODEC = SubpixelCodec(HEATMAP)


@pytest.fixture(scope="module")
def geometry(parity):
    return parity("families/transpose/geometry")


def as_numpy(pair):
    return [keras.ops.convert_to_numpy(value) for value in pair]


@pytest.mark.backend
@pytest.mark.parametrize("encode", [CODEC.encode, CODEC.graph_encode])
def test_targets_equal_the_published_ones(geometry, encode):
    keypoints = ALIGNED.normalize(geometry["joints_in_crop"], CROP)
    positions = ALIGNED.denormalize(keypoints, HEATMAP)
    np.testing.assert_allclose(positions, geometry["joints_in_heatmap"], atol=1e-3)
    maps, weights = as_numpy(encode(keypoints, geometry["visible"][..., None]))
    np.testing.assert_array_equal(weights, geometry["heatmap_weight"])
    counts = weights[:1, ..., None] > 0
    np.testing.assert_allclose(
        maps[:1, :, ::2, ::2] * counts, geometry["heatmap_target"] * counts, atol=1e-4
    )


@pytest.mark.backend
@pytest.mark.parametrize("xp", [np, keras.ops])
@pytest.mark.parametrize("x, weight", [(53.9, 1), (54.0, 0), (-7.9, 1), (-8.0, 0)])
def test_a_keypoint_whose_truncated_box_is_off_the_map_loses_its_weight(x, weight, xp):
    # int(53.9 - 6) = 47 < 48, int(54 - 6) = 48; int(-7.9 + 7) = 0, int(-8 + 7) = -1.
    points = xp.ones((1, 1, 2), dtype="float32") * np.float32([x, 31])
    ones = xp.ones((1, 1, 1), dtype="float32")
    _, weights = draw_gaussians(points, ones, HEATMAP, xp=xp)
    assert float(weights[0, 0, 0]) == weight


@pytest.mark.backend
@pytest.mark.parametrize("dark, error_px", [(True, 0.02), (False, 0.5)])
def test_what_is_drawn_is_found_again(dark, error_px):
    codec = CODEC.with_dark(dark)
    rng = np.random.default_rng(3)
    keypoints = rng.uniform(0.2, 0.8, (2, 17, 2))
    maps, _ = codec.encode(keypoints, np.ones((2, 17, 1)))
    found, scores = codec.decode({"heatmaps": maps})
    assert np.abs((found - keypoints) * ALIGNED.span(HEATMAP)).max() < error_px
    assert scores.min() > 0.9
    inputs = {"heatmaps": keras.Input((17, *HEATMAP))}
    graph = keras.Model(inputs, Decode(codec)(inputs))
    decoded = graph({"heatmaps": maps})
    in_graph = keras.ops.convert_to_numpy(decoded["keypoints"])
    np.testing.assert_allclose(in_graph, found, atol=1e-5)


def test_a_mirrored_map_meets_its_original_without_a_shift():
    rng = np.random.default_rng(4)
    keypoints = rng.uniform(0.2, 0.8, (1, 17, 2))
    mirrored = keypoints[:, COCO_17.flip_permutation] * [-1, 1] + [1, 0]
    maps, flipped = (
        {"heatmaps": CODEC.encode(points, np.ones((1, 17, 1)))[0]}
        for points in (keypoints, mirrored)
    )
    averaged = CODEC.average_mirrored(maps, flipped, COCO_17)
    np.testing.assert_allclose(averaged["heatmaps"], maps["heatmaps"], atol=1e-6)


def test_a_codec_survives_its_configuration():
    codec = SubpixelCodec((96, 72), sigma=3.0)
    config = keras.saving.serialize_keras_object(codec)
    assert keras.saving.deserialize_keras_object(config) == codec
