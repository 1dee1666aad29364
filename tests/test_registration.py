"""Keras knows our classes, whoever imports it first."""

import subprocess
import sys

import pytest

KNOWN = (
    "assert keras.saving.get_registered_object('distilpose_keras>PoseModel'); "
    "assert keras.saving.get_registered_object('distilpose_keras>Distiller')"
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
    subprocess.run([sys.executable, "-c", f"{code}; {KNOWN}"], check=True, cwd=root)


def test_the_package_alone_imports_neither_keras_nor_numpy(root):
    code = """
import sys, distilpose_keras
assert not {"keras", "numpy"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root)
