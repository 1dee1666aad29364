import sys

import keras
import numpy as np
import pytest
import recipe

from distilpose_keras.data.appearance import AppearanceAugmentation
from distilpose_keras.data.dataset import PoseDataset

on_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="keras-cv needs TensorFlow"
)
OFF = dict.fromkeys(("brightness", "contrast", "saturation", "hue", "cutout"), 0.0)


def saturation(images):
    """(B, H, W) HSV saturation."""
    return np.ptp(images.astype(float), axis=-1) / np.maximum(images.max(axis=-1), 1)


@pytest.fixture(scope="module")
def crops():
    return np.stack([recipe.picture(64, 48, seed=n) for n in range(6)])


@pytest.mark.backend
def test_another_backend_is_refused(monkeypatch):
    if keras.backend.backend() == "tensorflow":
        monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ValueError, match="needs KERAS_BACKEND=tensorflow. Received: "):
        AppearanceAugmentation()


@on_tensorflow
def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_cv", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install .*\[augment\]"):
        AppearanceAugmentation()


@on_tensorflow
def test_what_is_drawn_for_a_crop_follows_from_its_seed(crops):
    pytest.importorskip("keras_cv")
    change = AppearanceAugmentation()
    seeds = [(1, 2, n) for n in range(6)]
    first = change(crops, seeds)
    assert first.dtype == np.uint8 and first.shape == crops.shape
    np.testing.assert_array_equal(change(crops[3:5], seeds[3:5]), first[3:5])
    np.testing.assert_array_equal(AppearanceAugmentation()(crops, seeds), first)
    changed = (first != crops).mean(axis=(1, 2, 3))
    assert (changed > 0.5).all()
    others = [(1, 3, n) for n in range(6)]
    assert (change(crops, others) != first).any(axis=(1, 2, 3)).all()


@on_tensorflow
def test_each_change_does_what_it_says(crops):
    pytest.importorskip("keras_cv")

    def change(**options):
        return AppearanceAugmentation(**{**OFF, **options})(crops, range(6)).astype(int)

    np.testing.assert_array_equal(change(), crops)

    shifts = change(brightness=0.2) - crops
    for shift, crop in zip(shifts, crops, strict=True):
        assert len(np.unique(shift[(crop > 60) & (crop < 195)])) <= 2  # by rounding
    assert np.abs(shifts).max() <= 0.2 * 255 + 1

    hidden = change(cutout=0.5)
    for image, crop in zip(hidden, crops, strict=True):
        rows, columns = np.nonzero((image == 127).all(axis=-1))
        np.testing.assert_array_equal(
            image[: rows.min()] if len(rows) else image,
            crop[: rows.min()] if len(rows) else crop,
        )
        assert np.ptp(rows) <= 33 and np.ptp(columns) <= 25

    # One factor per crop multiplies the saturation of all its pixels.
    before, after = (saturation(x) for x in (crops, change(saturation=0.2)))
    factors = [
        np.percentile(a[(b > 0.2) & (a < 0.9)] / b[(b > 0.2) & (a < 0.9)], [10, 50, 90])
        for a, b in zip(after, before, strict=True)
    ]
    for low, middle, high in factors:
        np.testing.assert_allclose([low, high], middle, rtol=0.1)
        assert 0.3 / 0.7 - 0.05 < middle < 0.7 / 0.3 + 0.05
    assert np.ptp([middle for _, middle, _ in factors]) > 0.2

    # Turning the hue keeps the largest and the smallest channel of a pixel.
    turned = change(hue=0.5)
    np.testing.assert_allclose(turned.max(axis=-1), crops.max(axis=-1), atol=1)
    np.testing.assert_allclose(turned.min(axis=-1), crops.min(axis=-1), atol=1)
    assert (turned != crops).any()


@on_tensorflow
def test_it_works_in_a_data_set(people):
    pytest.importorskip("keras_cv")
    options = {"batch_size": 4, "input_size": (64, 48), "image_dtype": "uint8"}
    change = AppearanceAugmentation()
    plain = PoseDataset(people, **options)
    changed = PoseDataset(people, appearance=change, **options)
    assert (changed[1][0] != plain[1][0]).any()
    for name, values in plain[1][1].items():
        np.testing.assert_array_equal(changed[1][1][name], values)
