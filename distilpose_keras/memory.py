"""What a process holds: memory and open files, and whether they grow."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

PROC = Path("/proc")
MB = 1 << 20


def resident_mb(pid: int | str = "self") -> float:
    """Return the resident memory of a process in MB.

    Raises:
        OSError: if there is no such process, or no ``/proc`` (Linux has it).
    """
    pages = int((PROC / str(pid) / "statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MB


def family_mb(pid: int) -> float:
    """Return the resident memory of a process and all its descendants in MB.

    What they share is counted once for each.
    """
    parents = {}
    for entry in PROC.glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        parents[int(entry.name)] = int(fields[1])
    total = 0.0
    for process in parents:
        above = process
        while above not in (0, pid):
            above = parents.get(above, 0)
        if above == pid:
            try:
                total += resident_mb(process)
            except OSError:
                continue
    return total


def open_descriptors() -> int:
    """Return how many files, sockets and pipes this process has open."""
    return len(os.listdir(PROC / "self" / "fd")) - 1  # the listing opens one


def growth_per_hour(seconds: Sequence[float], values: Sequence[float]) -> float:
    """Return the slope of values over time by least squares, per hour.

    Args:
        seconds: (N,) times.
        values: (N,) what was measured then.

    Raises:
        ValueError: if there are fewer than two different times.
    """
    times = np.asarray(seconds, np.float64)
    if len(np.unique(times)) < 2:
        raise ValueError(f"a slope needs two times. Received: {len(times)}")
    times = times - times.mean()
    return float(3600 * (times @ np.asarray(values, np.float64)) / (times @ times))
