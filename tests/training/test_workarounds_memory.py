"""Freed memory stays with the process, unless the user decided otherwise."""

import json
import os
import subprocess
import sys

import pytest

# Page faults of blocks that are filled and freed, before and after the call, in the
# main thread or in one that had memory of its own before.
SCRIPT = """
import ctypes, json, resource, sys
from concurrent.futures import ThreadPoolExecutor
from distilpose_keras.training.workarounds import keep_freed_memory

c = ctypes.CDLL(None)
c.malloc.restype, c.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
c.free.argtypes, c.memset.argtypes = [ctypes.c_void_p], [
    ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t
]

def faults():
    start = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    blocks = [c.malloc(SIZE) for _ in range(4)]
    for block in blocks:
        c.memset(block, 1, SIZE)
    for block in blocks:
        c.free(block)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - start

SIZE = 30_000_000
with ThreadPoolExecutor(1) as thread:
    here = {"main": lambda f: f(), "another": lambda f: thread.submit(f).result()}
    run = here[sys.argv[1]]
    run(faults)
    before, kept = run(faults), keep_freed_memory()
    run(faults)
    print(json.dumps([kept, before, run(faults)]))
"""


def in_process(thread="main", **environment):
    """Run the script and return what it prints."""
    clean = {k: v for k, v in os.environ.items() if "MALLOC" not in k}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, thread],
        env=clean | {"GLIBC_TUNABLES": ""} | environment,
        capture_output=True,
        check=True,
        text=True,
    )
    return json.loads(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="malloc of the GNU C library")
@pytest.mark.parametrize("thread", ["main", "another"])
def test_blocks_come_back_without_page_faults(thread):
    """The system gives their pages once; before, it gave them every time."""
    kept, before, after = in_process(thread)
    if not kept:
        pytest.skip("another C library")
    # Two of the four blocks fit into the first heap of a thread, which always stays.
    assert before > 10 * (after + 1)


@pytest.mark.parametrize(
    "environment",
    [
        {"MALLOC_TRIM_THRESHOLD_": "100000"},
        {"MALLOC_TOP_PAD_": "100000"},
        {"MALLOC_MMAP_THRESHOLD_": "100000"},
        {"GLIBC_TUNABLES": "glibc.malloc.arena_max=2"},
    ],
)
def test_what_the_user_set_stays(environment):
    """Then nothing is changed, and every block is new to the process."""
    kept, before, after = in_process(**environment)
    assert not kept
    assert after > before / 2
