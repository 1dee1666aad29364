"""Configurations: sizes that follow from settings, errors, JSON."""

import json

import pytest

from distilpose_keras.models.backbones import HRNet, ResNet, StemNet
from distilpose_keras.models.families.tokenpose import TokenPose
from distilpose_keras.models.model import build_model
from distilpose_keras.models.presets import (
    FAMILIES,
    MODELS,
    config_from_dict,
    config_to_dict,
)


def test_sizes_follow_from_the_input():
    config = MODELS["tokenpose_stemnet"]
    assert config.codec.heatmap_size == (64, 48)
    assert config.transformer.grid(config.codec.heatmap_size) == (16, 16)
    smaller = config.with_overrides(input_size=(128, 96))
    assert smaller.codec.heatmap_size == (32, 24)


def test_the_demo_pair_can_be_distilled():
    student, teacher = MODELS["demo_student"], MODELS["demo_teacher"]
    for what in ("input_size", "transformer", "schema"):
        assert getattr(student, what) == getattr(teacher, what)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"colour": 1}, "no setting .*'colour'.*num_sigmas"),
        ({"backbone": {"depth": 1}}, "backbone has no setting .*'depth'.*block_width"),
        ({"num_sigmas": 3}, "num_sigmas must be one of .*3"),
        ({"input_size": (100, 96)}, "multiple of .*16, 12.*100, 96"),
        ({"input_size": (0, 96)}, "multiple of"),
        ({"transformer": {"dim": 100}}, "dim must be a multiple of .*8"),
        ({"backbone": ResNet()}, "backbone of stride 4. Received: ResNet of stride 32"),
    ],
)
def test_wrong_settings_are_explained(settings, message):
    with pytest.raises(ValueError, match=message):
        build_model("distilpose_s", **settings)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ResNet(34), "depth must be one of .*34"),
        (lambda: HRNet(stages=2), "3 or 4 stages. Received: 2"),
    ],
)
def test_backbones_that_do_not_exist_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_part_is_changed_setting_by_setting():
    config = MODELS["distilpose_l"].with_overrides(backbone={"width": 8})
    assert config.backbone == HRNet(8, stages=3)
    config = MODELS["distilpose_s"].with_overrides(backbone=HRNet(8))
    assert config.backbone == HRNet(8)
    stem = TokenPose("x", backbone=HRNet(8, stem=StemNet(width=16)))
    assert config_from_dict(config_to_dict(stem)) == stem


@pytest.mark.parametrize("name", MODELS)
def test_configurations_survive_json(name):
    data = json.loads(json.dumps(config_to_dict(MODELS[name])))
    assert data["family"] in FAMILIES
    assert config_from_dict(data) == MODELS[name]


def test_an_unknown_family_is_named():
    data = config_to_dict(MODELS["distilpose_s"])
    with pytest.raises(
        ValueError, match="unknown family of models 'dance'.*distilpose"
    ):
        config_from_dict({**data, "family": "dance"})
