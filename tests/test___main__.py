"""`python -m distilpose_keras` is the installed command."""

import subprocess
import sys


def test_the_module_is_the_command(root):
    run = [sys.executable, "-m", "distilpose_keras"]
    done = subprocess.run([*run, "--help"], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith("usage: distilpose COMMAND")
    wrong = subprocess.run([*run, "nothing"], cwd=root, capture_output=True, text=True)
    assert wrong.returncode == 2 and wrong.stderr.count("\n") == 1
