"""Files written before each family had a configuration of its own."""

from pathlib import Path

import keras
import numpy as np
import pytest
import recipe

from distilpose_keras.models.families.integral import IntegralPose
from distilpose_keras.models.model import load_model
from distilpose_keras.models.presets import config_from_dict, family_of

FILES = Path(__file__).resolve().parents[1] / "data" / "legacy"
KINDS = ("deeppose", "distilpose", "hrnet", "simple_baseline", "tokenpose")


@pytest.mark.backend
@pytest.mark.parametrize("kind", KINDS)
def test_an_older_file_predicts_what_it_did(kind):
    """The outputs were computed by the version that wrote the file."""
    model = load_model(FILES / f"{kind}.keras")
    assert family_of(model.pose_config) == kind
    assert model.metadata == {"ap": 0.5}
    height, width = model.pose_config.input_size
    outputs = model(
        recipe.images(1, seed=3, height=height, width=width), training=False
    )
    with np.load(FILES / "outputs.npz") as expected:
        for name, value in outputs.items():
            reference = expected[f"{kind}/{name}"]
            found = keras.ops.convert_to_numpy(value)[:, :, : reference.shape[2]]
            error = np.abs(found - reference).max() / reference.std()
            assert error < 1e-4, f"{name}: {error:.1e} of its standard deviation"


def test_the_first_checkpoints_of_the_preset_are_read():
    old = {"name": "x", "input_size": [64, 48], "backbone": "lite", "head": "integral"}
    config = config_from_dict({**old, "lite_widths": [32, 24]})
    assert isinstance(config, IntegralPose)
    assert config.backbone.widths == (32, 24)
    assert config.input_size == (64, 48)
