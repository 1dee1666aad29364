"""Models in other precisions."""

import keras
import numpy as np
import pytest
import tiny_pose

from distilpose_keras.models.model import build_model
from distilpose_keras.training.precision import in_precision, precision

SMALL = {
    "backbone": {"width": 8, "blocks": 1, "block_width": 8},
    "transformer": {"layers": 1, "dim": 8, "heads": 2},
    "input_size": (32, 24),
}


def test_the_policy_ends_with_the_block():
    with pytest.raises(RuntimeError), precision("mixed_bfloat16"):
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
        raise RuntimeError
    assert keras.config.dtype_policy().name == "float32"


def test_an_unknown_policy_is_refused():
    with pytest.raises(ValueError, match="precision must be one of"):
        with precision("float8"):
            pass


def test_a_copy_in_bfloat16_has_the_same_weights_and_almost_the_same_outputs():
    model = build_model("demo_teacher", **SMALL)
    copy = in_precision(model, "mixed_bfloat16")
    assert copy.dtype_policy.name == "mixed_bfloat16"
    for one, other in zip(model.get_weights(), copy.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    images = tiny_pose.batch(2, dtype="float32")[0]
    expected = keras.ops.convert_to_numpy(model(images)["heatmaps"])
    actual = keras.ops.convert_to_numpy(
        keras.ops.cast(copy(images)["heatmaps"], "float32")
    )
    np.testing.assert_allclose(actual, expected, atol=0.05 * np.abs(expected).max())
