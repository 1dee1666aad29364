"""The training of the phone-sized preset, in small."""

from dataclasses import replace

import numpy as np
import pytest
import tiny_movenet

from distilpose_keras.models.model import load_model
from distilpose_keras.recipe import nano
from distilpose_keras.recipe.nano import NANO, NanoOptions, Stage, train_nano

CONFIG = NANO.with_overrides(input_size=(64, 64))
QUICK = {"epochs": 1, "learning_rate": 1e-3, "ema_momentum": 0.5}
STAGES = (Stage("head", frozen=7, **QUICK), Stage("whole", frozen=2, **QUICK))


@pytest.fixture(scope="module")
def movenet(tmp_path_factory):
    path = tmp_path_factory.mktemp("movenet") / "lightning.json"
    constants = tiny_movenet.published_constants(np.random.default_rng(0))
    tiny_movenet.write_graph(path, constants)
    return path


@pytest.fixture
def options(data, movenet, tmp_path):
    return NanoOptions(
        data=data, out=tmp_path / "run", movenet=movenet, batch_size=8, resume=True
    )


class Killed(Exception):
    """Stands for a signal."""


@pytest.mark.slow
def test_a_run_killed_between_stages_ends_as_one_that_was_not(
    options, tmp_path, monkeypatch
):
    whole = train_nano(replace(options, out=tmp_path / "whole"), STAGES, CONFIG)

    train_stage = nano.train_stage

    def killed_in_second(model, stage, splits, options):
        if stage.name == "whole":
            raise Killed
        train_stage(model, stage, splits, options)

    monkeypatch.setattr(nano, "train_stage", killed_in_second)
    with pytest.raises(Killed):
        train_nano(options, STAGES, CONFIG)
    trained = []

    def noted(model, stage, splits, options):
        trained.append(stage.name)
        train_stage(model, stage, splits, options)

    monkeypatch.setattr(nano, "train_stage", noted)
    resumed = train_nano(options, STAGES, CONFIG)
    assert trained == ["whole"]
    for one, other in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-5)
    saved = load_model(options.out / "distilpose_nano.keras")
    assert saved.metadata["ap_data"] == "person_keypoints_val2017.json"
    assert 0 <= saved.metadata["ap"] <= 1


def test_other_settings_are_not_resumed(options, monkeypatch):
    monkeypatch.setattr(nano, "train_stage", lambda *_: None)
    train_nano(options, STAGES, CONFIG)
    with pytest.raises(ValueError, match="seed"):
        train_nano(replace(options, seed=1), STAGES, CONFIG)


def test_the_preset_is_small_enough_for_phones():
    from distilpose_keras.models.model import build_model
    from distilpose_keras.profiling.model import profile_model

    found = profile_model(build_model(NANO))
    assert found.trainable_params < 2.5e6
    assert found.gmacs < 0.15
