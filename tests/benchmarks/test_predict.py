"""The benchmark of large jobs: rates as they were, of pictures that are there."""

import cv2
import pytest

from distilpose_keras.benchmarks import predict
from tests.benchmarks.arguments import of
from tests.own_process import in_own_process


def test_rates_are_medians_and_compared_with_one_worker():
    times, mb = [0.0, 1800.0, 3600.0, 5400.0], [50.0, 90.0, 100.0, 101.0]
    one, two = predict.rows(
        {
            1: [(4.0, times, mb), (6.0, times, mb), (5.0, times, mb)],
            2: [(9.0, times, mb)] * 3,
        },
        70,
    )
    assert (one["per_second"], one["ratio"]) == (5, 1)
    assert (two["workers"], two["pictures"], two["ratio"]) == (2, 70, 1.8)
    assert (two["mb_half"], two["mb_last"], two["mb_per_hour"]) == (100, 101, 2)


def test_pictures_are_as_many_as_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(predict, "RENDERED", 2)
    files = sorted(predict.make_pictures(tmp_path, 5).iterdir())
    assert len(files) == 5
    assert files[0].read_bytes() == files[2].read_bytes() != files[1].read_bytes()
    assert cv2.imread(str(files[4])) is not None


@pytest.mark.slow
def test_workers_are_measured():
    pytest.importorskip("ray", reason="Ray is not installed")
    pytest.importorskip("pyarrow")
    arguments = of("predict", "--pictures", 16, "--workers", 1)
    (row,) = in_own_process(predict.run, arguments)
    assert row["per_second"] > 0
    assert row["mb_last"] > 300
