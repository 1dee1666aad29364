"""Memory that one training step frees and the next one takes again."""

import ctypes
import os
import sys

# Parameters of `mallopt`, of the C library's malloc.h.
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
NEVER_TRIM, LARGEST = -1, 2**31 - 1
CHOSEN_BY_USER = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_")


def keep_freed_memory():
    """Let this process keep the memory that it frees, for its own next use.

    By default the GNU C library returns large blocks to the system at once and gets
    them back empty, a page fault for every 4 KB. On a CPU, PyTorch and JAX allocate
    all tensors of a step that way.

    Does nothing on other systems, or where the environment says how `malloc` should
    work (``MALLOC_TRIM_THRESHOLD_``, ``MALLOC_MMAP_THRESHOLD_``, ``GLIBC_TUNABLES``).

    Returns:
        Whether freed memory is kept.
    """
    if sys.platform != "linux" or any(name in os.environ for name in CHOSEN_BY_USER):
        return False
    if "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", ""):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # another C library
        return False
    return bool(
        mallopt(TRIM_THRESHOLD, NEVER_TRIM) and mallopt(MMAP_THRESHOLD, LARGEST)
    )
