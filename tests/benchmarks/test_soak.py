"""Long runs, made short."""

import json
from pathlib import Path

import pytest

from distilpose_keras.benchmarks import soak
from tests.benchmarks.arguments import of
from tests.own_process import in_own_process

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/statm").exists(), reason="memory is looked up under /proc"
)


def test_a_row_has_the_slope_without_the_first_fifth(monkeypatch):
    record = soak.Record()
    record.seconds = list(range(0, 3600, 360))
    record.mb = [900.0, 500.0, *(100.0 + n for n in range(8))]
    record.descriptors = [9, 9, 7, 7, 7, 7, 7, 7, 7, 8]
    row = record.row(run="predictor", steps=3)
    assert (row["mb_first"], row["mb_last"], row["mb_per_hour"]) == (100, 107, 10)
    assert (row["descriptors_first"], row["descriptors_last"]) == (7, 8)
    assert row["measurements"] == 8


def sound_and_leaking(arguments):
    """Return the row of a sound run, and of one that keeps something of every frame."""
    kept = []
    find = soak.PersonFinder.find

    def leaking(self, image):
        kept.append((bytearray(b"1") * (1 << 20), open("/dev/null")))
        return find(self, image)

    (sound,) = soak.run(arguments)
    soak.PersonFinder.find = leaking
    return sound, *soak.run(arguments)


def test_a_leak_is_seen():
    """Let the finder keep one megabyte and one file of every frame."""
    # Not in this process: its other threads close and free what earlier tests used.
    arguments = of("soak", "--minutes", 0.05, "--epochs", 0)
    sound, row = in_own_process(sound_and_leaking, arguments)
    measured = row["measurements"] - 1
    assert row["descriptors_last"] - row["descriptors_first"] >= measured
    # One MB a frame, at the rate that the run had; half of it is lost to the cache.
    assert row["mb_per_hour"] > 0.5 * 3600 * row["steps"] / (60 * row["minutes"])
    assert sound["descriptors_last"] == sound["descriptors_first"]


@pytest.mark.slow
def test_a_training_is_measured_at_every_epoch():
    arguments = of("soak", "--minutes", 0.01, "--epochs", 6)
    _, row = in_own_process(soak.run, arguments)
    assert (row["run"], row["steps"], row["measurements"]) == ("fit", 6, 5)
    assert row["descriptors_last"] == row["descriptors_first"]
    json.dumps(row)
