"""DistilPose in Keras 3: distilled human pose models, trained, exported and measured.

The public names load when they are first used: a loading process or a program that
runs an exported file needs no backend. Importing this package is enough for
`keras.saving.load_model` to read its files.
"""

from importlib import import_module

from distilpose_keras.registration import register_with_keras

_HOME = {
    "COCO_17": "keypoints",
    "KeypointSchema": "keypoints",
    "check_dataset": "checking.dataset",
    "Augmentation": "data.transforms",
    "PeopleIndex": "data.coco",
    "PoseDataset": "data.dataset",
    "coco_paths": "data.coco",
    "load_detections": "data.coco",
    "load_people": "data.coco",
    "render_dataset": "synthetic",
    "MODELS": "models.presets",
    "PoseConfig": "models.config",
    "PoseModel": "models.model",
    "build_model": "models.model",
    "load_model": "models.model",
    "deploy": "models.deploy",
    "init_backbone_from": "models.checkpoints",
    "load_checkpoint": "models.checkpoints",
    "Distiller": "distillation.distiller",
    "PoseTrainer": "training.trainer",
    "make_optimizer": "training.optimizers",
    "strategy_scope": "training.strategies",
    "train": "training.loop",
    "PoseEvaluation": "evaluation",
    "evaluate": "evaluation",
    "PosePredictor": "predictor",
    "PoseResult": "predictor",
    "draw_poses": "drawing",
    "calibration_crops": "export.calibration",
    "export_onnx": "export.onnx.write",
    "export_quantized": "quantization.files",
    "export_tflite": "export.tflite.write",
    "finetune": "quantization.finetune",
    "quantize_aware": "quantization.student",
    "verify": "export.verify",
}

__all__ = sorted(_HOME)

register_with_keras()


def __getattr__(name):
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    register_with_keras()
    return value


def __dir__():
    return __all__
