"""Stacked hourglasses against the published networks."""

import keras
import numpy as np
import pytest
import recipe

from distilpose_keras.models.checkpoints import load_checkpoint
from distilpose_keras.models.deploy import deploy
from distilpose_keras.models.model import PoseModel
from distilpose_keras.models.presets import MODELS
from distilpose_keras.pixels import IMAGE_MEAN, IMAGE_STD
from distilpose_keras.predictor import PosePredictor
from tests.models.heatmap_parity import assert_close, assert_parity, heatmaps, published
from tests.models.shrunken import shrunken
from tests.models.small import with_recipe_weights

SIZE = (48, 64)
TOLERANCE = 1e-3
OF_PARITY = [
    pytest.param(name, marks=pytest.mark.parity)
    for name in (
        "hourglass_2stack",
        "hourglass_4stack",
        "hourglass_8stack",
        "hourglass_8_256",
    )
]


def as_one(arrays):
    """The reference of the last stack, named as those of other families are."""
    if "pred" in arrays:
        return arrays
    last = max(name for name in arrays if name.startswith("pred_")).split("_")[-1]
    names = {"keypoints": "keypoints", "scores": "score", "stable": "stable"}
    plain = {ours: arrays[f"{theirs}_{last}"] for ours, theirs in names.items()}
    flipped = {
        f"{ours}_flip_test": arrays[f"{theirs}_flip_{last}"]
        for ours, theirs in names.items()
    }
    return {"pred": arrays[f"pred_{last}"], **plain, **flipped}


@pytest.mark.slow
@pytest.mark.backend
@pytest.mark.parametrize("name", ["hourglass_4_128", *OF_PARITY])
def test_published_weights_give_the_published_keypoints(name):
    model, arrays = published(name)
    assert_parity(model, as_one(arrays), tolerance=TOLERANCE, size=SIZE)
    if "stacks" in arrays:  # of the first image, every fourth joint
        stacks = heatmaps(model, output="stacked_heatmaps")[0, :-1, ::4]
        assert_close(stacks, arrays["stacks"], "stacks", TOLERANCE)


def small():
    return with_recipe_weights(PoseModel(shrunken(MODELS["hourglass_4_128"])))


def test_all_stacks_are_predicted_the_last_is_the_result():
    model = small()
    outputs = model(recipe.images(1, height=64, width=96), training=False)
    stacks = keras.ops.convert_to_numpy(outputs["stacked_heatmaps"])
    assert stacks.shape == (1, 2, 17, 16, 24)
    np.testing.assert_array_equal(stacks[:, -1], outputs["heatmaps"])
    assert np.ptp(stacks, axis=1).max() > 0


def test_pictures_enter_in_the_order_of_opencv():
    model = small()
    crops = np.stack([recipe.picture(64, 96, seed=i) for i in range(2)])
    # As the published code reads them: blue first, normalised as if it were red.
    blue_first = (crops[..., ::-1] / 255 - IMAGE_MEAN) / IMAGE_STD
    expected = model(blue_first.astype("float32"), training=False)["heatmaps"]
    expected = keras.ops.convert_to_numpy(expected)
    predictor = PosePredictor(model)
    found = predictor.predict_outputs(crops)["heatmaps"]
    np.testing.assert_allclose(found, expected, atol=1e-4 * expected.std())
    _, scores = predictor.codec.decode({"heatmaps": expected})
    deployed = deploy(model)(crops.astype("float32"))["scores"]
    deployed = keras.ops.convert_to_numpy(deployed)[..., 0]
    np.testing.assert_allclose(deployed, scores, atol=1e-3 * expected.std())


def test_maps_that_cannot_be_halved_are_refused():
    with pytest.raises(ValueError, match=r"multiple of \[64, 64\]"):
        MODELS["hourglass_4stack"].with_overrides(input_size=(384, 288))


def test_a_backbone_alone_is_not_read():
    with pytest.raises(ValueError, match="has no backbone beside its head"):
        load_checkpoint(small(), {"conv1.weight": 0}, backbone_only=True)
