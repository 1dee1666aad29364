"""DistilPose in Keras 3: distilled human pose models, trained, exported and measured.

The public names load when they are first used: a loading process or a program that
runs an exported file needs no backend.
"""

from importlib import import_module

_HOME = {
    "COCO_17": "keypoints",
    "KeypointSchema": "keypoints",
    "check_dataset": "checking.dataset",
    "Augmentation": "data.transforms",
    "PoseDataset": "data.dataset",
    "coco_paths": "data.coco",
    "load_detections": "data.coco",
    "load_people": "data.coco",
    "render_dataset": "synthetic",
    "MODELS": "models.configs",
    "ModelConfig": "models.configs",
    "build_model": "models.build",
    "deploy": "models.deploy",
    "load_checkpoint": "models.checkpoints",
    "load_model": "models.build",
    "Distiller": "distillation.distiller",
    "HeatmapTrainer": "training.heatmap_trainer",
    "train": "training.loop",
    "PoseEvaluation": "evaluation",
    "evaluate": "evaluation",
    "PosePredictor": "predictor",
    "draw_poses": "drawing",
    "export_onnx": "export.onnx.write",
    "export_quantized": "quantization.files",
    "export_tflite": "export.tflite.write",
    "quantize_aware": "quantization.student",
    "verify": "export.verify",
}

__all__ = sorted(_HOME)


def __getattr__(name):
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__():
    return __all__
