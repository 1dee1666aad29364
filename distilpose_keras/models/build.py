"""From a name to a model, and from a file back to it."""

import json
from pathlib import Path

import keras

from distilpose_keras.formats.safety import check_keras
from distilpose_keras.models.backbones import backbone
from distilpose_keras.models.configs import MODELS, ModelConfig
from distilpose_keras.models.deploy import deploy
from distilpose_keras.models.heads import head
from distilpose_keras.models.layers import PACKAGE
from distilpose_keras.pixels import normalize_images

__all__ = ["PoseModel", "build_model", "deploy", "load_model", "normalize_images"]


@keras.saving.register_keras_serializable(PACKAGE)
class PoseModel(keras.Model):
    """A functional Keras model with its configuration and what is known about it.

    The input is a normalised RGB image (B, H, W, 3), the output a dict. A student:
    `keypoints` (B, K, 2), `scores` (B, K, 1) and `sigmas` (B, K, 2) in heatmap pixels
    (not of a DeepPose without `confidence`). A teacher: `heatmaps` (B, K, H / 4,
    W / 4). With a token head also `keypoint_tokens` (B, K, D) and `visual_tokens`
    (B, P, D).

    Attributes:
        pose_config: the `ModelConfig` that determines the graph.
        metadata: dict of JSON values saved with the model, such as the training
            data, the measured AP and a version.
    """

    def __init__(self, pose_config, metadata=None):
        """Build the graph of a configuration."""
        height, width = pose_config.input_size
        images = keras.Input((height, width, 3), name="image")
        outputs = head(backbone(images, pose_config), pose_config)
        super().__init__(inputs=images, outputs=outputs, name=pose_config.name)
        self.pose_config = pose_config
        self.metadata = dict(metadata or {})

    @property
    def is_teacher(self):
        """Whether the model predicts heatmaps."""
        return self.pose_config.is_teacher

    def get_config(self):
        """Return the configuration and the metadata, as JSON values."""
        return {
            "pose_config": self.pose_config.to_dict(),
            "metadata": json.loads(json.dumps(self.metadata)),
        }

    @classmethod
    def from_config(cls, config):
        """Build the model that `get_config` describes."""
        pose_config = ModelConfig.from_dict(config["pose_config"])
        return cls(pose_config, config["metadata"])


def build_model(name_or_config, **overrides):
    """Build a named model with fresh weights.

    Example:
        >>> student = build_model("distilpose_s")
        >>> one_sigma = build_model("distilpose_s", num_sigmas=1)

    Args:
        name_or_config: a key of `MODELS`, or a `ModelConfig`.
        **overrides: other values for some of the configuration's fields.

    Returns:
        A `PoseModel`.

    Raises:
        ValueError: if the name or a setting is unknown or a value does not fit.
    """
    config = name_or_config
    if not isinstance(config, ModelConfig):
        if config not in MODELS:
            raise ValueError(
                f"unknown model {name_or_config!r}; known: {', '.join(MODELS)}"
            )
        config = MODELS[config]
    return PoseModel(config.with_overrides(**overrides))


def load_model(path):
    """Read a `PoseModel` from a ``.keras`` file, whichever backend wrote it.

    Raises:
        ValueError: one line, if the file is missing, damaged or not a `PoseModel`.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"no such model file: {path}")
    check_keras(path, f"{PACKAGE}>{PoseModel.__name__}")
    try:
        return keras.saving.load_model(path, compile=False)
    except Exception as error:  # whatever a damaged archive makes Keras or h5py raise
        reason = str(error).strip().split("\n")[0][:200]
        raise ValueError(f"damaged model file: {path} ({reason})") from error
