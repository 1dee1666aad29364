"""The public names, for editors: a test holds them to `_HOME` in ``__init__.py``."""

from distilpose_keras.checking.dataset import DatasetCheck, check_dataset
from distilpose_keras.codecs.codec import Codec
from distilpose_keras.codecs.coordinates import CoordinateCodec
from distilpose_keras.codecs.heatmaps import HeatmapCodec
from distilpose_keras.data.appearance import AppearanceAugmentation
from distilpose_keras.data.coco import PeopleIndex, coco_paths, load_people
from distilpose_keras.data.dataset import PoseDataset
from distilpose_keras.data.detections import find_detections, load_detections
from distilpose_keras.data.images import ImageError, read_image
from distilpose_keras.data.people_index import PersonInstance
from distilpose_keras.data.shards.people import ShardedPeople, load_shards
from distilpose_keras.data.shards.writer import pack_people
from distilpose_keras.data.transforms import Augmentation
from distilpose_keras.detection import PersonFinder, boxes_of
from distilpose_keras.distillation.distiller import Distiller
from distilpose_keras.drawing import draw_poses
from distilpose_keras.evaluation import evaluate, predict_people
from distilpose_keras.export.calibration import calibration_crops
from distilpose_keras.export.finder import export_finder
from distilpose_keras.export.onnx.write import export_onnx
from distilpose_keras.export.reproduce import ExportError
from distilpose_keras.export.tflite.write import export_tflite
from distilpose_keras.export.verify import verify
from distilpose_keras.keypoints import COCO_17, KeypointSchema
from distilpose_keras.losses.labels import CoordinateLoss, HeatmapLoss, LabelLoss
from distilpose_keras.models.backbones import HRNet, ResNet, StemNet
from distilpose_keras.models.checkpoints import (
    ConversionReport,
    init_backbone_from,
    load_checkpoint,
)
from distilpose_keras.models.config import PoseConfig
from distilpose_keras.models.deploy import deploy
from distilpose_keras.models.finder import FinderConfig, FinderModel
from distilpose_keras.models.model import PoseModel, build_model, load_model
from distilpose_keras.models.presets import MODELS
from distilpose_keras.predictor import PosePredictor, PoseResult
from distilpose_keras.quantization.files import export_quantized
from distilpose_keras.quantization.finetune import finetune
from distilpose_keras.quantization.student import QuantizedStudent, quantize_aware
from distilpose_keras.synthetic import UPRIGHT, VARIED, Casting, render_dataset
from distilpose_keras.tracking import PoseTracker, TrackedPoses
from distilpose_keras.training.callbacks import NonFiniteLoss
from distilpose_keras.training.loop import train
from distilpose_keras.training.optimizers import make_optimizer
from distilpose_keras.training.pose_evaluation import PoseEvaluation
from distilpose_keras.training.schedules import WarmupStep, warmup_cosine
from distilpose_keras.training.strategies import strategy_scope
from distilpose_keras.training.trainer import PoseTrainer

__all__ = [
    "AppearanceAugmentation",
    "Augmentation",
    "COCO_17",
    "Casting",
    "Codec",
    "ConversionReport",
    "CoordinateCodec",
    "CoordinateLoss",
    "DatasetCheck",
    "Distiller",
    "ExportError",
    "FinderConfig",
    "FinderModel",
    "HRNet",
    "HeatmapCodec",
    "HeatmapLoss",
    "ImageError",
    "KeypointSchema",
    "LabelLoss",
    "MODELS",
    "NonFiniteLoss",
    "PeopleIndex",
    "PersonFinder",
    "PersonInstance",
    "PoseConfig",
    "PoseDataset",
    "PoseEvaluation",
    "PoseModel",
    "PosePredictor",
    "PoseResult",
    "PoseTracker",
    "PoseTrainer",
    "QuantizedStudent",
    "ResNet",
    "ShardedPeople",
    "StemNet",
    "TrackedPoses",
    "UPRIGHT",
    "VARIED",
    "WarmupStep",
    "boxes_of",
    "build_model",
    "calibration_crops",
    "check_dataset",
    "coco_paths",
    "deploy",
    "draw_poses",
    "evaluate",
    "export_finder",
    "export_onnx",
    "export_quantized",
    "export_tflite",
    "find_detections",
    "finetune",
    "init_backbone_from",
    "load_checkpoint",
    "load_detections",
    "load_model",
    "load_people",
    "load_shards",
    "make_optimizer",
    "pack_people",
    "predict_people",
    "quantize_aware",
    "read_image",
    "render_dataset",
    "strategy_scope",
    "train",
    "verify",
    "warmup_cosine",
]
