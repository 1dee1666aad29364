"""Numbered pictures, one of them damaged, and a job's settings."""

import cv2
import numpy as np
import pytest

from distilpose_keras.bulk.parts import Settings
from distilpose_keras.export.onnx.write import export_onnx
from distilpose_keras.models.model import PoseModel

COUNT, DAMAGED = 9, 4


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """Folder of 1.jpg to 9.jpg, of which 4.jpg is cut off."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for number in range(1, COUNT + 1):
        noise = rng.integers(0, 256, (60, 80, 3)).astype(np.uint8)
        cv2.imwrite(str(folder / f"{number}.jpg"), noise)
    cut = folder / f"{DAMAGED}.jpg"
    cut.write_bytes(cut.read_bytes()[:-400])
    return folder


@pytest.fixture(scope="session")
def settings(tmp_path_factory):
    """Of a file whose runtime starts at once, in every worker."""
    path = tmp_path_factory.mktemp("model") / "nano.onnx"
    export_onnx(PoseModel.from_preset("distilpose_nano"), path)
    return Settings(str(path), whole_image=True)
