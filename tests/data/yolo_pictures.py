"""A YOLO-pose data set of two pictures."""

import cv2
import numpy as np

YAML = """
train: images/train
names: {0: hand, 1: paw}
kpt_shape: [2, 3]
flip_idx: [1, 0]
"""


def write_dataset(folder, yaml=YAML, labels="1 0.5 0.5 0.4 0.2 0.25 0.75 2 0 0 0\n"):
    """Write one picture of 200x100 pixels with a paw in it, and one without labels."""
    for name in ("a", "b"):
        path = folder / "images" / "train" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.zeros((100, 200, 3), np.uint8))
    (folder / "labels" / "train").mkdir(parents=True, exist_ok=True)
    (folder / "labels" / "train" / "a.txt").write_text(labels)
    (folder / "data.yaml").write_text(yaml)
    return folder / "data.yaml"
