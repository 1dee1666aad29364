"""Memory, descriptors and slopes, against what is known of them."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from distilpose_keras.memory import (
    family_mb,
    growth_per_hour,
    open_descriptors,
    resident_mb,
)
from tests.own_process import in_own_process

needs_proc = pytest.mark.skipif(
    not Path("/proc/self/statm").exists(), reason="memory is looked up under /proc"
)


def test_a_line_has_its_slope():
    assert growth_per_hour([10, 20, 30], [5, 6, 7]) == pytest.approx(360)
    # By hand: of (0, 0), (1, 3), (2, 0) the best line is flat.
    assert growth_per_hour([0, 1, 2], [0, 3, 0]) == pytest.approx(0)
    with pytest.raises(ValueError, match="two times. Received: 1"):
        growth_per_hour([1], [1])


def growth_by_an_array() -> tuple[float, float]:
    """Return what an array of 64 MB adds, and what stays of it."""
    before = resident_mb()
    held = np.ones(64 << 17)
    grown = resident_mb() - before
    del held
    return grown, resident_mb() - before


@needs_proc
def test_memory_that_is_used_is_seen():
    # Not in this process: its other threads free what earlier tests used.
    grown, stays = in_own_process(growth_by_an_array)
    assert 60 < grown < 80
    assert -4 < stays < 16


def growth_by_a_child() -> tuple[float, float, float]:
    """Return what a child of 100 MB adds, what it is alone, and what stays of it."""
    program = "held = bytearray(b'1') * (100 << 20); print(flush=True); input()"
    alone = family_mb(os.getpid())
    child = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    child.stdout.readline()
    added, own = family_mb(os.getpid()) - alone, family_mb(child.pid)
    child.communicate(b"\n")
    return added, own, family_mb(os.getpid()) - alone


@needs_proc
def test_children_count_and_others_do_not():
    added, own, stays = in_own_process(growth_by_a_child)
    assert 100 < added < 160
    assert 100 < own < 160
    assert stays < 50


def descriptors_before_while_and_after(path) -> list[int]:
    """Count descriptors around the time that a file is open."""
    counts = [open_descriptors()]
    with open(path, "w"):
        counts.append(open_descriptors())
    return [*counts, open_descriptors()]


@needs_proc
def test_an_open_file_is_a_descriptor_more(tmp_path):
    path = tmp_path / "file"
    before, within, after = in_own_process(descriptors_before_while_and_after, path)
    assert (within, after) == (before + 1, before)
