"""Models in other precisions."""

import keras
import pytest

from distilpose_keras.training.precision import precision


def test_the_policy_ends_with_the_block():
    with pytest.raises(RuntimeError), precision("mixed_bfloat16"):
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
        raise RuntimeError
    assert keras.config.dtype_policy().name == "float32"


def test_an_unknown_policy_is_refused():
    with pytest.raises(ValueError, match="precision must be one of"):
        with precision("float8"):
            pass
