"""Damaged files of every kind are read or refused in a line; no traceback, no hang.

hypothesis draws the damages, the same ones each time. More of them, in processes that
may end: ``python tests/fuzz/campaign.py``.
"""

import os
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.kinds import KINDS, complaint

SECONDS = 10  # of CPU, processes that were started included: machines may be busy
HANG = 120  # seconds by the clock
# Of a kind that takes a millisecond; those that build a model or start a process less.
EXAMPLES = {"keras": 8, "tflite": 8, "onnx": 8, "torch": 40, "torch_inside": 40}


def cpu_seconds():
    """CPU time of this process and of those that it started and that ended."""
    return sum(os.times()[:4])


@pytest.mark.fuzz
@pytest.mark.parametrize("name", KINDS)
def test_damaged_files_are_read_or_refused_in_a_line(name, tmp_path_factory):
    kind = KINDS[name]
    if name.startswith("torch"):
        pytest.importorskip("torch")
    path = tmp_path_factory.mktemp(name) / f"a{kind.suffix}"
    for whole in kind.seeds():  # a judge that refuses everything would be none
        path.write_bytes(whole)
        kind.read(path)

    @settings(
        max_examples=EXAMPLES.get(name, 100),
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(random=st.randoms(use_true_random=True))
    def read(random):
        path.write_bytes(kind.spoiled(random))
        began, worked = time.monotonic(), cpu_seconds()
        assert complaint(kind, path) is None
        assert cpu_seconds() - worked < SECONDS
        assert time.monotonic() - began < HANG

    read()
