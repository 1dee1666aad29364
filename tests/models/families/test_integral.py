"""The head that reads coordinates off location maps."""

import numpy as np
import pytest
from keras import ops

from distilpose_keras.models.backbones.lite import Lite
from distilpose_keras.models.deploy import deploy
from distilpose_keras.models.families.integral import (
    IntegralPose,
    location_grid,
    location_heatmaps,
)
from distilpose_keras.models.model import build_model, load_model
from distilpose_keras.pixels import IMAGE_MEAN, IMAGE_STD

SIZE = 32, 32
MAP = 8, 8
CONFIG = IntegralPose("small", input_size=SIZE, backbone=Lite())


@pytest.fixture(scope="module")
def outputs():
    model = build_model(CONFIG)
    images = np.random.default_rng(0).normal(size=(2, *SIZE, 3)).astype("float32")
    return {k: np.asarray(v) for k, v in model.predict(images, verbose=0).items()}


def test_a_student_has_the_outputs_that_distillation_reads(outputs):
    shapes = {name: value.shape[1:] for name, value in outputs.items()}
    assert shapes == {
        "keypoints": (17, 2),
        "scores": (17, 1),
        "sigmas": (17, 2),
        "location_logits": (17, *MAP),
    }


def test_keypoints_and_sigmas_are_mean_and_spread_of_the_maps(outputs):
    logits = outputs["location_logits"].astype("float64")
    chance = np.exp(logits - logits.max(axis=(2, 3), keepdims=True))
    chance /= chance.sum(axis=(2, 3), keepdims=True)
    columns, rows = np.arange(MAP[1]), np.arange(MAP[0])
    x = (chance.sum(axis=2) * columns).sum(axis=-1)
    y = (chance.sum(axis=3) * rows).sum(axis=-1)
    np.testing.assert_allclose(outputs["keypoints"][..., 0], x / MAP[1], atol=1e-5)
    np.testing.assert_allclose(outputs["keypoints"][..., 1], y / MAP[0], atol=1e-5)
    variance = (chance.sum(axis=2) * (columns - x[..., None]) ** 2).sum(axis=-1)
    np.testing.assert_allclose(outputs["sigmas"][..., 0], variance**0.5, rtol=1e-3)


def test_the_grid_runs_along_rows():
    grid = location_grid(2, 3)
    expected = [[0, 0], [1 / 3, 0], [2 / 3, 0], [0, 0.5], [1 / 3, 0.5], [2 / 3, 0.5]]
    np.testing.assert_allclose(grid, expected, rtol=1e-6)


def test_pixels_may_lie_beside_their_corners():
    """Pixel 0 of a map of stride 4 stands for pixels 0 to 3, whose mean is 1.5."""
    moved = location_grid(8, 6, offset=0.375) * [6 * 4, 8 * 4]
    np.testing.assert_allclose(moved[0], [1.5, 1.5], rtol=1e-6)
    np.testing.assert_allclose(moved[-1], [5 * 4 + 1.5, 7 * 4 + 1.5], rtol=1e-6)


def test_an_offset_moves_the_keypoints_and_not_the_sigmas(outputs):
    model = build_model(CONFIG.with_overrides(offset=0.375))
    images = np.random.default_rng(0).normal(size=(2, *SIZE, 3)).astype("float32")
    plain = build_model(CONFIG)
    model.set_weights(plain.get_weights())
    there, here = model.predict(images, verbose=0), plain.predict(images, verbose=0)
    np.testing.assert_allclose(
        there["keypoints"] - here["keypoints"], 0.375 / 8, atol=1e-6
    )
    np.testing.assert_allclose(there["sigmas"], here["sigmas"], rtol=1e-3)


def test_a_saved_student_predicts_the_same(outputs, tmp_path):
    model = build_model(CONFIG)
    model.save(tmp_path / "x.keras")
    again = load_model(tmp_path / "x.keras")
    images = np.random.default_rng(0).normal(size=(2, *SIZE, 3)).astype("float32")
    expected = model.predict(images, verbose=0)
    received = again.predict(images, verbose=0)
    for name, value in expected.items():
        np.testing.assert_allclose(received[name], value, rtol=1e-5, atol=1e-6)
    assert again.pose_config == CONFIG


def test_the_inference_graph_predicts_the_same():
    model = build_model(CONFIG)
    pixels = np.random.default_rng(1).uniform(0, 255, (2, *SIZE, 3)).astype("float32")
    normalised = ((pixels / 255 - IMAGE_MEAN) / IMAGE_STD).astype("float32")
    expected = model.predict(normalised, verbose=0)
    received = deploy(model).predict(pixels, verbose=0)
    assert set(received) == {"keypoints", "scores"}
    for name, value in received.items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-4, atol=1e-5)


@pytest.mark.backend
@pytest.mark.parametrize("offset", [0.0, 0.375])
def test_what_it_shows_as_a_teacher_is_the_mean_of_the_gaussians(offset):
    """Sum by hand over all places where a joint may be."""
    logits = np.random.default_rng(1).normal(size=(2, 3, 5, 4)).astype("float32") * 3
    expected = np.zeros(logits.shape)
    chance = np.exp(logits.astype("float64"))
    chance /= chance.sum(axis=(2, 3), keepdims=True)
    rows, columns = np.mgrid[:5, :4]
    for row in range(5):
        for column in range(4):
            away = (rows - row - offset) ** 2 + (columns - column - offset) ** 2
            gaussian = np.exp(-away / (2 * 1.5**2))
            expected += chance[:, :, row, column, None, None] * gaussian
    maps = location_heatmaps(ops.convert_to_tensor(logits), offset, sigma=1.5)
    np.testing.assert_allclose(ops.convert_to_numpy(maps), expected, atol=1e-6)


def test_a_sure_map_is_a_gaussian_at_the_keypoint_that_is_read_off_it(outputs):
    config = CONFIG.with_overrides(offset=0.375)
    logits = np.full((1, 17, *MAP), -30.0, "float32")
    logits[..., 3, 5] = 30
    maps = config.shown({"location_logits": ops.convert_to_tensor(logits)})["heatmaps"]
    rows, columns = np.mgrid[: MAP[0], : MAP[1]]
    away = (rows - 3.375) ** 2 + (columns - 5.375) ** 2
    expected = np.broadcast_to(np.exp(-away / 8), (1, 17, *MAP))
    np.testing.assert_allclose(ops.convert_to_numpy(maps), expected, atol=1e-6)


def test_a_deployed_graph_shows_no_heatmaps():
    outputs = {"keypoints": None, "scores": None}
    assert CONFIG.shown(outputs) == outputs
