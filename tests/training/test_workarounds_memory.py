"""Freed memory stays with the process, unless the user decided otherwise."""

import json
import os
import subprocess
import sys

import pytest

# Page faults of one large block that is filled and freed, before and after the call.
SCRIPT = """
import json, resource
from distilpose_keras.training.workarounds import keep_freed_memory

def faults():
    start = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    b"x" * 40_000_000
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - start

faults()
before, kept = faults(), keep_freed_memory()
faults()
print(json.dumps([kept, before, faults()]))
"""


def in_process(**environment):
    """Run the script and return what it prints."""
    clean = {k: v for k, v in os.environ.items() if "MALLOC" not in k}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env=clean | {"GLIBC_TUNABLES": ""} | environment,
        capture_output=True,
        check=True,
        text=True,
    )
    return json.loads(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="malloc of the GNU C library")
def test_a_block_comes_back_without_page_faults():
    """The system gives its pages once; before, it gave them every time."""
    kept, before, after = in_process()
    if not kept:
        pytest.skip("another C library")
    assert before > 5 * (after + 1)


@pytest.mark.parametrize(
    "environment",
    [
        {"MALLOC_TRIM_THRESHOLD_": "100000"},
        {"MALLOC_MMAP_THRESHOLD_": "100000"},
        {"GLIBC_TUNABLES": "glibc.malloc.arena_max=2"},
    ],
)
def test_what_the_user_set_stays(environment):
    """Then nothing is changed, and every block is new to the process."""
    kept, before, after = in_process(**environment)
    assert not kept
    assert after > before / 2
