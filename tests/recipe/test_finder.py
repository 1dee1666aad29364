"""The training of the person finder, in small."""

from dataclasses import replace

import numpy as np
import pytest
import tiny_movenet

from distilpose_keras.models.finder import load_finder
from distilpose_keras.recipe import finder
from distilpose_keras.recipe.finder import FINDER, FinderOptions, Stage, train_finder

CONFIG = replace(FINDER, input_size=(64, 96), width=16)
STAGES = (
    Stage("head", (64, 64), 5, 2, 1, 1e-3, 0.5),
    Stage("whole", (64, 96), 2, 2, 1, 1e-3, 0.5),
)


@pytest.fixture
def options(data, tmp_path, monkeypatch):
    path = tmp_path / "lightning.json"
    constants = tiny_movenet.published_constants(np.random.default_rng(0))
    tiny_movenet.write_graph(path, constants)
    monkeypatch.setattr(finder, "EPOCH_STEPS", 2)
    return FinderOptions(data=data, out=tmp_path / "run", movenet=path, resume=True)


@pytest.mark.slow
def test_a_run_killed_between_stages_ends_as_one_that_was_not(
    options, tmp_path, monkeypatch
):
    whole = train_finder(replace(options, out=tmp_path / "whole"), STAGES, CONFIG)
    train_stage = finder.train_stage

    def killed_in_second(model, stage, *rest):
        if stage.name == "whole":
            raise KeyboardInterrupt
        train_stage(model, stage, *rest)

    monkeypatch.setattr(finder, "train_stage", killed_in_second)
    with pytest.raises(KeyboardInterrupt):
        train_finder(options, STAGES, CONFIG)
    monkeypatch.setattr(finder, "train_stage", train_stage)
    resumed = train_finder(options, STAGES, CONFIG)
    for one, other in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-5)
    saved = load_finder(options.out / "person_finder.keras")
    assert saved.finder_config == CONFIG
    assert saved.metadata["measured_on"] == "person_keypoints_val2017.json"
    assert 0 <= saved.metadata["recall"] <= 1


def test_longer_is_a_factor_of_every_stage(options, monkeypatch):
    seen = []
    monkeypatch.setattr(finder, "train_stage", lambda _, s, *__: seen.append(s.epochs))
    monkeypatch.setattr(finder, "measure", lambda *_: None)
    train_finder(replace(options, longer=3), STAGES, CONFIG)
    assert seen == [3, 3]
    with pytest.raises(ValueError, match="longer"):
        train_finder(replace(options, longer=2), STAGES, CONFIG)
