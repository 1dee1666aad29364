"""Numbered pictures, one of them damaged, and a job's settings."""

import cv2
import numpy as np
import pytest

from distilpose_keras import preset_files
from distilpose_keras.bulk.parts import Settings

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
def settings():
    model = preset_files.preset_file("distilpose_nano")
    return Settings(str(model), whole_image=True)
