"""A file is compared with its model before it gets its name."""

from types import SimpleNamespace

import numpy as np
import pytest

from distilpose_keras.codecs.coordinates import CoordinateCodec
from distilpose_keras.codecs.heatmaps import HeatmapCodec
from distilpose_keras.export import reproduce
from distilpose_keras.export.reproduce import (
    CROPS,
    ExportError,
    check_reproduces,
    smooth_noise,
)

MODEL = SimpleNamespace(pose_config=SimpleNamespace(input_size=(64, 48)))
SCORES = np.zeros((CROPS, 17, 1), np.float32)


@pytest.fixture
def compare(monkeypatch):
    """Check a file whose keypoints differ from the model's by an array."""
    seen = []

    def check(difference, precision="float32", **options):
        def open_runtime(source):
            def run(crops):
                seen.append(len(crops))
                zero = np.zeros((len(crops), 17, 2), np.float32)
                moved = zero + (0 if source is MODEL else difference)
                return {"keypoints": moved, "scores": SCORES}

            return SimpleNamespace(run=run, codec=CoordinateCodec())

        monkeypatch.setattr(reproduce, "open_runtime", open_runtime)
        check_reproduces("student.tflite", MODEL, precision, **options)
        return seen

    return check


def spike(value):
    """One keypoint off, all others exact."""
    difference = np.zeros((17, 2), np.float32)
    difference[3, 1] = value
    return difference


def test_rounding_passes_and_more_does_not(compare):
    for precision, small, large in (
        ("float32", 0.9e-4, 1.1e-4),
        ("float16", 1.9e-3, 2.1e-3),
        ("int8", 0.029, 0.031),
        ("int8-full", 0.059, 0.061),
    ):
        compare(small, precision)
        with pytest.raises(ExportError, match=f"the {precision} file does not repro"):
            compare(-large, precision)


def test_a_single_keypoint_far_off_is_no_rounding(compare):
    with pytest.raises(ExportError, match="keypoints differ by .* and by up to 0.002"):
        compare(spike(2e-3))
    compare(spike(0.5), "int8")  # integers clip


def test_outputs_that_are_not_numbers_are_refused(compare):
    for precision in ("float32", "int8"):
        with pytest.raises(ExportError, match="nan"):
            compare(spike(np.nan), precision)


def test_a_few_crops_are_enough(compare):
    assert compare(0.0) == [CROPS] * 2
    crops = np.zeros((9, 64, 48, 3), np.uint8)
    assert compare(0.0, crops=crops)[2:] == [CROPS] * 2


@pytest.fixture
def compare_peaks(monkeypatch):
    """Check a file that says where the peaks of two heatmaps are."""
    maps = np.zeros((CROPS, 2, 4, 4), np.float32)
    maps[:, 0, 1, 2], maps[:, 0, 3, 3] = 1.0, 0.99999  # two peaks, all but equal
    maps[:, 1, 2, 1] = 0.5

    def check(keypoints, scores=(1.0, 0.5), precision="float32"):
        def open_runtime(source):
            def run(crops):
                if source is MODEL:
                    return {"heatmaps": maps}
                found = {"keypoints": keypoints, "scores": np.array(scores)[:, None]}
                return {k: np.stack([v] * len(crops)) for k, v in found.items()}

            return SimpleNamespace(run=run, codec=HeatmapCodec((4, 4)))

        monkeypatch.setattr(reproduce, "open_runtime", open_runtime)
        check_reproduces("teacher.tflite", MODEL, precision)

    return check


def test_either_of_two_equal_peaks_reproduces_a_model(compare_peaks):
    compare_peaks(np.array([[2, 1], [1, 2]]) / 4)
    compare_peaks(np.array([[3, 3], [1, 2]]) / 4)


def test_a_point_beside_the_peak_does_not(compare_peaks):
    with pytest.raises(ExportError, match="keypoints differ"):
        compare_peaks(np.array([[2, 2], [1, 2]]) / 4)
    with pytest.raises(ExportError, match="keypoints differ"):
        compare_peaks(np.array([[2, 1], [-1, -1]]) / 4)
    with pytest.raises(ExportError, match="scores differ"):
        compare_peaks(np.array([[2, 1], [1, 2]]) / 4, scores=(1.0, 0.4))


def test_where_dark_leads_far_away_there_is_no_peak():
    maps = np.random.default_rng(0).normal(0.5, 0.01, (1, 400, 32, 24))
    maps[0, 0, 5:8, 5:8] = [[0.5, 0.7, 0.5], [0.7, 0.99, 0.7], [0.5, 0.7, 0.5]]
    outputs = {"heatmaps": maps.astype(np.float32)}
    codec = HeatmapCodec((32, 24), dark=True)
    peaks, scores = codec.decode(outputs)
    rows, columns = np.divmod(maps.reshape(400, -1).argmax(axis=1), 24)
    way = np.abs(codec.positions(peaks)[0] - np.stack([columns, rows], axis=1))
    far = (way > 2).any(axis=1)
    assert 5 < far.sum() < 200 and not far[0]
    same = codec.scores_at(outputs, peaks + 3 / 24)[0] == scores[0]
    assert same[far].all() and not same[~far].any()


def test_a_file_that_no_runtime_opens_is_refused(monkeypatch):
    def open_runtime(path):
        raise RuntimeError("unsupported operator")

    monkeypatch.setattr(reproduce, "open_runtime", open_runtime)
    with pytest.raises(ExportError, match="the int8 file cannot be run: unsupported"):
        check_reproduces("student.tflite", MODEL, "int8")


@pytest.mark.parametrize("size", [(64, 48), (40, 24)])
def test_smooth_noise_is_of_blotches_sixteen_pixels_wide(size):
    crops = smooth_noise(3, size)
    assert crops.shape == (3, *size, 3) and crops.dtype == np.uint8
    for axis, length in ((1, size[0]), (2, size[1])):
        others = tuple({0, 1, 2, 3} - {axis})
        changes = np.diff(crops.astype(int), axis=axis).any(axis=others)
        borders = np.arange(16, length, 16) - 1
        assert np.flatnonzero(changes).tolist() == borders.tolist()
    np.testing.assert_array_equal(crops, smooth_noise(3, size))
    assert (crops != smooth_noise(3, size, seed=1)).any()
