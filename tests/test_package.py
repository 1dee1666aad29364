"""The public names, and what importing them costs."""

import subprocess
import sys
from pathlib import Path

import pytest

import distilpose_keras

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("name", distilpose_keras.__all__)
def test_every_public_name_is_there(name):
    value = getattr(distilpose_keras, name)
    assert getattr(value, "__name__", name) == name


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Distilller'"):
        _ = distilpose_keras.Distilller


def test_importing_the_package_loads_no_backend():
    code = "import sys, distilpose_keras; print('keras' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT
    )
    assert done.stdout == "False\n"
