"""From a name to a model, and from a file back to it."""

import difflib
import json
from pathlib import Path
from typing import Any

import keras

from distilpose_keras.models.config import PoseConfig
from distilpose_keras.models.layers import PACKAGE
from distilpose_keras.models.presets import (
    MODELS,
    config_from_dict,
    config_to_dict,
)
from distilpose_keras.preset_files import model_file
from distilpose_keras.safety import check_keras
from distilpose_keras.types import FilePath

# Classes of model files, as Keras names them, and the backend that one alone runs on.
FILES = {
    f"{PACKAGE}>PoseModel": None,
    f"{PACKAGE}>QuantizedStudent": "tensorflow",
}


@keras.saving.register_keras_serializable(PACKAGE)
class PoseModel(keras.Model):
    """A functional Keras model with its configuration and what is known about it.

    The input is a normalised RGB image (B, H, W, 3), the output a dict that the
    configuration's codec decodes. A student returns `keypoints` (B, K, 2), `scores`
    (B, K, 1) and `sigmas` (B, K, 2) in heatmap pixels (not of a DeepPose without
    `confidence`), a teacher `heatmaps` (B, K, H / 4, W / 4). With a token head also
    `keypoint_tokens` (B, K, D) and `visual_tokens` (B, P, D).

    Attributes:
        pose_config: the `PoseConfig` that determines the graph.
        metadata: dict of JSON values saved with the model, such as the training
            data, the measured AP and a version.
    """

    def __init__(
        self, pose_config: PoseConfig, metadata: dict[str, Any] | None = None
    ) -> None:
        """Build the graph of a configuration."""
        height, width = pose_config.input_size
        images = keras.Input((height, width, 3), name="image")
        outputs = pose_config.build(images)
        super().__init__(inputs=images, outputs=outputs, name=pose_config.name)
        self.pose_config = pose_config
        self.metadata = dict(metadata or {})

    @classmethod
    def from_preset(cls, preset: FilePath) -> "PoseModel":
        """Return a trained model.

        Args:
            preset: name of a model whose weights are in the package, or the path of a
                ``.keras`` file.

        Raises:
            ValueError: one line, if there are no such weights or file.
        """
        return load_model(model_file(preset))

    def get_config(self) -> dict[str, Any]:
        """Return the configuration and the metadata, as JSON values."""
        return {
            "pose_config": config_to_dict(self.pose_config),
            "metadata": json.loads(json.dumps(self.metadata)),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "PoseModel":
        """Build the model that `get_config` describes."""
        return cls(config_from_dict(config["pose_config"]), config["metadata"])


def build_model(
    name_or_config: str | PoseConfig,
    *,
    weights: FilePath | None = None,
    **overrides: Any,
) -> PoseModel:
    """Build a named model.

    Example:
        >>> student = build_model("distilpose_s")
        >>> one_sigma = build_model("distilpose_s", num_sigmas=1)
        >>> narrow = build_model("distilpose_s", backbone={"width": 16})

    Args:
        name_or_config: a key of `MODELS`, or a `PoseConfig`.
        weights: what it starts from, a preset or a ``.keras`` file of the same
            configuration; fresh weights by default.
        **overrides: other values for some of the configuration's fields; a dict
            changes some settings of a part, such as the backbone.

    Returns:
        A `PoseModel`.

    Raises:
        ValueError: if the name or a setting is unknown or a value does not fit, or the
            weights are of another graph.
    """
    config = find_config(name_or_config).with_overrides(**overrides)
    model = PoseModel(config)
    if weights is not None:
        source = PoseModel.from_preset(weights)
        shapes = [[tuple(w.shape) for w in m.weights] for m in (model, source)]
        if shapes[0] != shapes[1]:
            raise ValueError(
                f"the weights of {weights} are of another model ({source.name}) than "
                f"{config.name} as configured"
            )
        model.set_weights(source.get_weights())
        model.metadata = dict(source.metadata)
    return model


def find_config(name_or_config: str | PoseConfig) -> PoseConfig:
    """Return a configuration by its name in `MODELS`, or itself.

    Raises:
        ValueError: if there is no such name; the nearest is named.
    """
    if isinstance(name_or_config, PoseConfig):
        return name_or_config
    if name_or_config in MODELS:
        return MODELS[name_or_config]
    near = difflib.get_close_matches(str(name_or_config), MODELS, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise ValueError(
        f"unknown model {name_or_config!r}; {hint}known: {', '.join(MODELS)}"
    )


def load_model(path: FilePath) -> Any:
    """Read a model from a ``.keras`` file, whichever backend wrote it.

    Returns:
        A `PoseModel`, or a `QuantizedStudent` if that is what was saved.

    Raises:
        ValueError: one line, if the file is missing, damaged or of something else, or
            if it holds a `QuantizedStudent` and Keras does not run on TensorFlow.
        ModuleNotFoundError: if it holds one and tensorflow-model-optimization is not
            installed.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"no such model file: {path}")
    needed = FILES[check_keras(path, *FILES)["registered_name"]]
    if needed not in (None, keras.backend.backend()):
        raise ValueError(
            f"{path} needs KERAS_BACKEND={needed}. Received: {keras.backend.backend()}"
        )
    try:
        return keras.saving.load_model(path, compile=False)
    except ModuleNotFoundError:  # it says what to install
        raise
    except Exception as error:  # whatever a damaged archive makes Keras or h5py raise
        reason = str(error).strip().split("\n")[0][:200]
        raise ValueError(f"damaged model file: {path} ({reason})") from error
