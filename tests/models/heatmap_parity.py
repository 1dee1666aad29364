"""A model of heatmaps at full size against what the published one predicts."""

import keras
import numpy as np
import recipe

from distilpose_keras.models.checkpoints import load_checkpoint
from distilpose_keras.models.model import build_model
from tests.models import reference
from tests.models.deviation import assert_near

DECODED_PX = 5e-3  # heatmap pixels; where `stable`, noise of 1e-3 moves them by 0.02


def published(name):
    """A named model with the published parameters, and the published outputs."""
    described, arrays = reference.published(name)
    model = build_model(name)
    state = {
        key: recipe.fill(key, shape)
        for key, shape, kind in described["state_dict"]
        if kind == "filled"
    }
    report = load_checkpoint(model, state)
    assert not report.kept and not report.unused
    trainable = sum(np.prod(v.shape) for v in model.trainable_variables)
    assert trainable == described["trainable_params"]
    return model, arrays


def heatmaps(model, *, flip=False, output="heatmaps"):
    """What the model predicts of the references' images, or of their mirror images."""
    height, width = model.pose_config.input_size
    images = recipe.images(2, seed=7, height=height, width=width)
    images = images[:, :, ::-1] if flip else images
    outputs = model(np.ascontiguousarray(images), training=False)
    return keras.ops.convert_to_numpy(outputs[output])


def assert_close(maps, expected, name, tolerance):
    """Compare maps with those that may be thinned out, by their standard deviation."""
    step = maps.shape[-1] // expected.shape[-1]
    found = maps[: len(expected), :, ::step, ::step]
    assert_near(found, expected, name, tolerance)


def assert_decoded(model, maps, expected, *, size):
    """Compare keypoints, where they are well defined, and scores.

    Args:
        model: a `PoseModel`.
        maps: (2, K, H, W).
        expected: dict of `keypoints`, `scores` and `stable`.
        size: (x, y) heatmap pixels that are 1.
    """
    keypoints, scores = model.pose_config.codec.decode({"heatmaps": maps})
    stable = expected["stable"] > 0
    assert stable.mean() > 0.5
    difference = np.abs(keypoints - expected["keypoints"]) * size
    assert difference[stable].max() < DECODED_PX
    expected_scores = expected["scores"].reshape(scores.shape)
    assert_near(scores, expected_scores, "scores", 1e-3)


def assert_parity(model, arrays, *, tolerance, size):
    """Compare heatmaps and what is decoded of them, without and with flip.

    Args:
        model: a `PoseModel` with the published parameters.
        arrays: the reference: `pred`, and `keypoints`, `scores` and `stable`, with the
            suffix ``_flip_test`` too.
        tolerance: of the heatmaps, in standard deviations.
        size: (x, y) heatmap pixels that are 1.
    """
    maps = heatmaps(model)
    assert_close(maps, arrays["pred"], "heatmaps", tolerance)
    names = ("keypoints", "scores", "stable")
    assert_decoded(model, maps, {n: arrays[n] for n in names}, size=size)
    averaged = model.pose_config.codec.average_mirrored(
        {"heatmaps": maps},
        {"heatmaps": heatmaps(model, flip=True)},
        model.pose_config.schema,
    )["heatmaps"]
    expected = {n: arrays[f"{n}_flip_test"] for n in names}
    assert_decoded(model, averaged, expected, size=size)
