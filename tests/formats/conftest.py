"""What files say about themselves."""

import pytest


@pytest.fixture
def document():
    """The metadata of a TFLite file of 64 x 48 crops."""
    from types import SimpleNamespace

    from distilpose_keras.formats.metadata import describe
    from distilpose_keras.models.presets import MODELS

    config = MODELS["demo_student"]
    metadata = {"training_data": "synthetic, seed 0", "ap": 0.5, "version": "1.2"}
    model = SimpleNamespace(pose_config=config, metadata=metadata)
    return describe(model, runtime="tflite", precision="int8")
