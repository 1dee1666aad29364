"""A sample of `inject.py`: prediction that is disturbed in every way."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.faults
def test_disturbed_predictions_keep_what_was_computed(root):
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("inject.py"), "predict", "-n", "2"],
        cwd=root,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    faults = int(done.stdout.splitlines()[-1].split()[0])
    assert faults >= 8  # small disks and forbidden folders need root
