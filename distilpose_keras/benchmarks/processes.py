"""Processes that measure, each for itself."""

import os
from pathlib import Path

import distilpose_keras


def environment(**variables: str) -> dict[str, str]:
    """Return the variables of a process that imports this very package, anywhere.

    Args:
        **variables: others that it gets.
    """
    root = Path(distilpose_keras.__file__).resolve().parents[1]
    path = os.pathsep.join([str(root), *filter(None, [os.environ.get("PYTHONPATH")])])
    return os.environ | variables | {"PYTHONPATH": path}
