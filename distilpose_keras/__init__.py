"""DistilPose in Keras 3: distilled human pose models, trained, exported and measured.

The public names load when they are first used: a loading process or a program that
runs an exported file needs no backend. Importing this package is enough for
`keras.saving.load_model` to read its files.

Editors read the names and their types in ``__init__.pyi``.
"""

from importlib import import_module
from typing import Any

from distilpose_keras.registration import register_with_keras

_HOME = {
    "COCO_17": "keypoints",
    "KeypointSchema": "keypoints",
    "check_dataset": "checking.dataset",
    "DatasetCheck": "checking.dataset",
    "Augmentation": "data.transforms",
    "AppearanceAugmentation": "data.appearance",
    "ImageError": "data.images",
    "PeopleIndex": "data.coco",
    "PersonInstance": "data.people_index",
    "PoseDataset": "data.dataset",
    "coco_paths": "data.coco",
    "load_detections": "data.detections",
    "load_people": "data.coco",
    "ShardedPeople": "data.shards.people",
    "load_shards": "data.shards.people",
    "pack_people": "data.shards.writer",
    "read_image": "data.images",
    "render_dataset": "synthetic",
    "Casting": "synthetic",
    "UPRIGHT": "synthetic",
    "VARIED": "synthetic",
    "MODELS": "models.presets",
    "HRNet": "models.backbones",
    "ResNet": "models.backbones",
    "StemNet": "models.backbones",
    "Codec": "codecs.codec",
    "CoordinateCodec": "codecs.coordinates",
    "HeatmapCodec": "codecs.heatmaps",
    "CoordinateLoss": "losses.labels",
    "HeatmapLoss": "losses.labels",
    "LabelLoss": "losses.labels",
    "PoseConfig": "models.config",
    "PoseModel": "models.model",
    "build_model": "models.model",
    "load_model": "models.model",
    "deploy": "models.deploy",
    "init_backbone_from": "models.checkpoints",
    "ConversionReport": "models.checkpoints",
    "load_checkpoint": "models.checkpoints",
    "Distiller": "distillation.distiller",
    "PoseTrainer": "training.trainer",
    "make_optimizer": "training.optimizers",
    "NonFiniteLoss": "training.callbacks",
    "WarmupStep": "training.schedules",
    "warmup_cosine": "training.schedules",
    "strategy_scope": "training.strategies",
    "train": "training.loop",
    "PoseEvaluation": "training.pose_evaluation",
    "evaluate": "evaluation",
    "predict_people": "evaluation",
    "PersonFinder": "detection",
    "boxes_of": "detection",
    "FinderConfig": "models.finder",
    "FinderModel": "models.finder",
    "export_finder": "export.finder",
    "find_detections": "data.detections",
    "PosePredictor": "predictor",
    "PoseResult": "predictor",
    "PoseTracker": "tracking",
    "TrackedPoses": "tracking",
    "draw_poses": "drawing",
    "calibration_crops": "export.calibration",
    "ExportError": "export.reproduce",
    "export_onnx": "export.onnx.write",
    "export_quantized": "quantization.files",
    "export_tflite": "export.tflite.write",
    "finetune": "quantization.finetune",
    "quantize_aware": "quantization.student",
    "QuantizedStudent": "quantization.student",
    "verify": "export.verify",
}

__all__ = sorted(_HOME)

register_with_keras()


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    register_with_keras()
    return value


def __dir__() -> list[str]:
    return __all__
