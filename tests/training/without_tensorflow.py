"""Trains, evaluates and predicts where TensorFlow cannot be imported.

``python without_tensorflow.py FOLDER`` prints JSON: the loss history and the AP.
"""

# ruff: noqa: E402 (TensorFlow is hidden before anything is imported)

import json
import sys
from pathlib import Path

sys.modules["tensorflow"] = None  # makes `import tensorflow` raise ImportError

import numpy as np

from distilpose_keras.data.coco import coco_paths, load_people
from distilpose_keras.data.dataset import PoseDataset
from distilpose_keras.data.images import read_image
from distilpose_keras.distillation.distiller import Distiller
from distilpose_keras.evaluation import evaluate
from distilpose_keras.models.model import build_model
from distilpose_keras.predictor import PosePredictor
from distilpose_keras.synthetic import render_dataset
from distilpose_keras.training.loop import train
from distilpose_keras.training.optimizers import make_optimizer

SMALL = {
    "backbone": {"width": 8, "blocks": 1, "block_width": 8},
    "transformer": {"layers": 1, "dim": 8, "heads": 2},
    "input_size": (64, 48),
}


def main(folder):
    folder = Path(folder)
    render_dataset(folder / "data", train_images=4, val_images=2, workers=1)
    train_people, val_people = (
        load_people(*coco_paths(folder / "data", split)) for split in ("train", "val")
    )
    student = build_model("demo_student", **SMALL)
    distiller = Distiller(student=student, teacher=build_model("demo_teacher", **SMALL))
    distiller.compile(optimizer=make_optimizer(1e-3))
    settings = {"batch_size": 4, "input_size": (64, 48), "image_dtype": "uint8"}
    with PoseDataset(train_people, **settings) as batches:
        run = {"run_dir": folder / "run", "verbose": 0}
        history = train(distiller, batches, epochs=2, **run)
    student.save(folder / "student.keras")
    predictor = PosePredictor(folder / "student.keras")
    person = val_people[0]
    poses = predictor.predict(
        read_image(person.image_path), np.array([person.box_xywh])
    )
    assert np.isfinite(poses.keypoints).all()
    ap = evaluate(predictor, val_people)["AP"]
    print(json.dumps({"loss": history["loss"], "AP": ap}))


if __name__ == "__main__":
    main(sys.argv[1])
