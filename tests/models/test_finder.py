"""The graph of the person finder, its inference graph and its file."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from distilpose_keras.codecs.middles import graph_decode
from distilpose_keras.models.deploy import deploy
from distilpose_keras.models.finder import (
    PRIOR,
    TRUNKS,
    FinderConfig,
    FinderModel,
    load_finder,
)
from distilpose_keras.pixels import normalize_images

CONFIG = FinderConfig(input_size=(64, 96), width=16)


@pytest.fixture(scope="module", params=list(TRUNKS))
def model(request):
    keras.utils.set_random_seed(0)
    return FinderModel(replace(CONFIG, trunk=request.param), {"threshold": 0.25})


@pytest.fixture(scope="module")
def pictures():
    return np.random.default_rng(0).integers(0, 256, (2, 64, 96, 3)).astype(np.uint8)


def run(model, pictures):
    return model.predict_on_batch(keras.ops.convert_to_numpy(pictures))


@pytest.mark.backend
def test_an_untrained_finder_finds_nobody(model, pictures):
    found = run(model, normalize_images(pictures))
    assert found["middles"].shape == (2, 8, 12, 1)
    assert found["sides"].shape == (2, 8, 12, 4)
    scores = 1 / (1 + np.exp(-np.asarray(found["middles"])))
    np.testing.assert_allclose(scores, PRIOR, atol=0.01)


@pytest.mark.backend
def test_the_inference_graph_finds_the_same(model, pictures):
    expected = graph_decode(run(model, normalize_images(pictures)))
    found = run(deploy(model), pictures.astype(np.float32))
    assert found["boxes"].shape == (2, 96, 4)
    for name in ("boxes", "scores"):
        np.testing.assert_allclose(
            np.asarray(found[name]), np.asarray(expected[name]), atol=1e-4
        )


@pytest.mark.backend
def test_a_file_holds_the_model(model, pictures, tmp_path):
    path = tmp_path / "finder.keras"
    model.save(path)
    for loaded in (load_finder(path), keras.saving.load_model(path)):
        assert loaded.finder_config == model.finder_config
        assert loaded.metadata == {"threshold": 0.25}
        for one, other in zip(model.get_weights(), loaded.get_weights(), strict=True):
            np.testing.assert_array_equal(other, one)


def test_files_of_something_else_are_refused(student, tmp_path):
    path = tmp_path / "student.keras"
    student.save(path)
    with pytest.raises(ValueError, match="expected a person finder saved by"):
        load_finder(path)
    with pytest.raises(ValueError, match="no such model file"):
        load_finder(tmp_path / "gone.keras")
    broken = tmp_path / "broken.keras"
    broken.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ValueError, match=r"broken\.keras"):
        load_finder(broken)


@pytest.mark.parametrize("size", [(64, 100), (16, 64), (64,)])
def test_sizes_that_do_not_fit_are_named(size):
    with pytest.raises(ValueError, match="multiples of 32. Received"):
        FinderConfig(input_size=size)


def test_the_first_files_name_no_trunk(model):
    config = model.get_config()
    del config["finder_config"]["trunk"]
    assert FinderModel.from_config(config).finder_config.trunk == "lite"


def test_a_trunk_that_is_not_known_is_named():
    with pytest.raises(ValueError, match="one of lite, mobilenetv2. Received: 'vgg'"):
        FinderConfig(trunk="vgg")


@pytest.mark.parametrize("trunk", TRUNKS)
def test_the_finder_is_small(trunk):
    assert FinderModel(FinderConfig(trunk=trunk)).count_params() * 2 < 2e6
