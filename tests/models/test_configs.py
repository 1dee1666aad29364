"""Model configurations: sizes that follow from settings, errors, JSON."""

import json

import pytest

from distilpose_keras.models.build import build_model
from distilpose_keras.models.configs import MODELS, ModelConfig


def test_sizes_follow_from_the_input():
    config = MODELS["distilpose_s"]
    assert config.heatmap_size == (64, 48)
    assert config.patch_grid == (16, 16)
    smaller = config.with_overrides(input_size=(128, 96))
    assert smaller.heatmap_size == (32, 24)
    assert smaller.patch_grid == (8, 8)


def test_the_demo_pair_can_be_distilled():
    student, teacher = MODELS["demo_student"], MODELS["demo_teacher"]
    assert teacher.is_teacher and not student.is_teacher
    for size in ("input_size", "heatmap_size", "patch_grid", "token_dim", "schema"):
        assert getattr(student, size) == getattr(teacher, size)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"colour": 1}, "no setting .*'colour'"),
        ({"backbone": "vgg"}, "backbone must be one of .*'vgg'"),
        ({"num_sigmas": 3}, "num_sigmas must be one of .*3"),
        ({"input_size": (100, 96)}, "multiple of .*16, 12.*100, 96"),
        ({"token_dim": 100, "token_heads": 8}, "token_dim must be a multiple"),
        ({"backbone": "resnet", "input_size": (128, 96)}, "needs a stemnet or hrnet"),
    ],
)
def test_wrong_settings_are_explained(settings, message):
    with pytest.raises(ValueError, match=message):
        build_model("distilpose_s", **settings)


def test_configurations_survive_json():
    for config in MODELS.values():
        data = json.loads(json.dumps(config.to_dict()))
        assert ModelConfig.from_dict(data) == config
