"""Fixtures shared by all tests; quiet, reproducible backends."""

import importlib.util
import os

# Before any backend is imported: TensorFlow's start-up chatter hides real warnings.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
PARITY = ROOT / "tests" / "data" / "parity"
# Real COCO pictures may not be redistributed: they are looked for beside the checkout.
COCO_TINY = Path(
    os.environ.get(
        "DISTILPOSE_COCO_TINY", ROOT.parent / "shared" / "data" / "coco_tiny"
    )
)

sys.path.insert(0, str(PARITY))  # `import recipe`: weights and inputs of the references


@pytest.fixture(scope="session")
def root():
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def script(root):
    """Load a script of the checkout as a module: ``script("tools/predict.py")``."""

    def load(path):
        path = root / path
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture(scope="session")
def parity():
    """Load a parity reference by name: ``parity("geometry")["center"]``."""

    def load(name):
        with np.load(PARITY / f"{name}.npz") as arrays:
            return dict(arrays)

    return load


@pytest.fixture(scope="session")
def coco_tiny():
    """Folder of 64 real COCO pictures, or a skip where it is absent."""
    if not COCO_TINY.is_dir():
        pytest.skip(f"real COCO pictures are not at {COCO_TINY}")
    return COCO_TINY
