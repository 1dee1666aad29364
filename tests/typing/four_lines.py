"""What users write: pyright must find no error here, in strict mode.

Never run: a test has pyright read it as an editor would, through the installed
package's public names.
"""

from pathlib import Path

import keras
import numpy as np

import distilpose_keras as dk


def distill(data: Path) -> dict[str, list[float | None]]:
    """Train a student under a teacher."""
    people = dk.load_people(*dk.coco_paths(data, "train"))
    teacher = dk.PoseModel.from_preset("teacher.keras")
    distiller = dk.Distiller(student=dk.build_model("distilpose_s"), teacher=teacher)
    distiller.compile(optimizer=dk.make_optimizer(dk.warmup_cosine(1e-3, 10_000)))
    batches = dk.PoseDataset(people, batch_size=32, augmentation=dk.Augmentation())
    return dk.train(distiller, batches, epochs=10, run_dir=data / "run", resume=True)


def fit(data: str) -> float:
    """Train a heatmap model with Keras alone."""
    people = dk.load_people(*dk.coco_paths(data, "val"))
    trainer = dk.PoseTrainer(dk.build_model("hrnet_w32"))
    trainer.compile(optimizer=keras.optimizers.Adam(1e-3))
    evaluation = dk.PoseEvaluation(people, every=2)
    trainer.fit(dk.PoseDataset(people, batch_size=8), epochs=2, callbacks=[evaluation])
    return evaluation.results[-1]["AP"]


def predict(image: np.ndarray) -> np.ndarray:
    """Find the people of a picture and draw them."""
    predictor = dk.PosePredictor("student.tflite", num_threads=2)
    poses = predictor.predict(image, [[40, 20, 120, 300]], flip=True)
    print(len(poses), poses.keypoints.shape, predictor.schema.names[0])
    return dk.draw_poses(image, poses.keypoints, poses.scores, predictor.schema)


def evaluate(data: Path) -> float:
    """Score a file on a detector's boxes."""
    people = dk.load_people(*dk.coco_paths(data, "val"))
    boxes = dk.load_detections(data / "detections.json", people)
    figures = dk.evaluate("student.onnx", people, boxes=boxes, flip=True)
    return figures["AP"]


def export(data: Path) -> bool:
    """Export in integers and compare with the model."""
    student = dk.load_model("student.keras")
    people = dk.load_people(*dk.coco_paths(data, "val"))
    crops = dk.calibration_crops(people, student)
    dk.export_tflite(student, "s.tflite", precision="int8", calibration=crops)
    dk.export_onnx(student, Path("s.onnx"))
    rows = dk.verify(student, ["s.tflite", Path("s.onnx")], people, limit=100)
    return rows[1]["ap_drop"] < 1.0


def change() -> int:
    """Build a model with other sizes than the published ones."""
    narrow = dk.build_model("distilpose_s", backbone={"width": 16})
    hrnet = dk.build_model("distilpose_s", backbone=dk.HRNet(width=32), num_sigmas=1)
    config: dk.PoseConfig = narrow.pose_config
    print(hrnet.pose_config.name, dk.MODELS["hrnet_w32"].schema.flip_pairs)
    return config.num_keypoints


def finetune(student: dk.PoseModel, teacher: dk.PoseModel, data: Path) -> None:
    """Fine-tune a student for integers."""
    people = dk.load_people(*dk.coco_paths(data, "train"))
    quantized = dk.quantize_aware(student, dk.calibration_crops(people, student))
    dk.finetune(quantized, teacher, dk.PoseDataset(people, batch_size=8), epochs=3)
    dk.export_quantized(quantized, data / "student.tflite")


def check(data: Path) -> list[str]:
    """Render people and look for what is wrong with them."""
    folder = dk.render_dataset(data, train_images=20, val_images=20, casting=dk.UPRIGHT)
    found = dk.check_dataset(folder, pictures=False)
    return [] if not found.serious else [found.line()]
