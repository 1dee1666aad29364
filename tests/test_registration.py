"""Keras knows our classes, whoever imports it first."""

import importlib.util
import os
import subprocess
import sys

import pytest

KNOWN = "; ".join(
    f"assert keras.saving.get_registered_object('distilpose_keras>{name}')"
    for name in ("PoseModel", "Distiller", "QuantizedStudent")
)
# What takes time is the backend, and JAX takes the least.
ENVIRONMENT = os.environ | (
    {"KERAS_BACKEND": "jax"} if importlib.util.find_spec("jax") else {}
)


@pytest.mark.parametrize(
    "code",
    [
        "import distilpose_keras, keras",
        "import keras, distilpose_keras",
        "from distilpose_keras import PosePredictor; import keras",
        # Modules of ours that import Keras while they are imported themselves.
        "import distilpose_keras.codecs.heatmaps; import keras, wave",
        "import distilpose_keras.training.workarounds; import keras, wave",
        "import distilpose_keras.data.dataset; import keras, wave",
    ],
)
def test_classes_are_known_in_any_order(code, root):
    command = [sys.executable, "-c", f"{code}; {KNOWN}"]
    subprocess.run(command, check=True, cwd=root, env=ENVIRONMENT)


def test_the_package_alone_imports_neither_keras_nor_numpy(root):
    code = """
import sys, distilpose_keras
assert not {"keras", "numpy"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root)
