import keras
import numpy as np
import pytest

from distilpose_keras.formats.half import write_half
from distilpose_keras.models.model import build_model, load_model


@pytest.mark.backend
def test_the_weights_are_read_back_rounded_to_float16(tmp_path):
    model = build_model("distilpose_nano", input_size=(64, 64))
    model.metadata = {"ap": 0.5}
    model.save(tmp_path / "whole.keras")
    write_half(tmp_path / "whole.keras", tmp_path / "half.keras")
    half = load_model(tmp_path / "half.keras")
    assert half.metadata == {"ap": 0.5}
    for ours, theirs in zip(half.weights, model.weights, strict=True):
        expected = np.array(theirs).astype("float16").astype("float32")
        np.testing.assert_array_equal(np.array(ours), expected)
        assert keras.backend.standardize_dtype(ours.dtype) == "float32"
    sizes = [(tmp_path / f"{n}.keras").stat().st_size for n in ("half", "whole")]
    assert sizes[0] < 0.55 * sizes[1]


def test_values_beyond_float16_are_refused(tmp_path):
    model = build_model("distilpose_nano", input_size=(64, 64))
    model.layers[1].set_weights([w + 1e5 for w in model.layers[1].get_weights()])
    model.save(tmp_path / "whole.keras")
    with pytest.raises(ValueError, match="beyond float16"):
        write_half(tmp_path / "whole.keras", tmp_path / "half.keras")
    assert not (tmp_path / "half.keras").exists()
