"""Students that train as if they were computed in integers."""

import json

import keras
import numpy as np

from distilpose_keras.export.calibration import check_crops
from distilpose_keras.export.convert import check_model
from distilpose_keras.models.deploy import deploy
from distilpose_keras.models.layers import PACKAGE
from distilpose_keras.models.model import PoseModel
from distilpose_keras.models.presets import config_from_dict, config_to_dict
from distilpose_keras.pixels import IMAGE_MEAN, IMAGE_STD
from distilpose_keras.quantization.graph import FakeQuantizedGraph, operation_ranges
from distilpose_keras.quantization.layers import FakeQuantize
from distilpose_keras.types import Json


def quantize_aware(student: PoseModel, crops: np.ndarray) -> "QuantizedStudent":
    """Return a student that trains as if it were computed in integers.

    Batch-norm is folded into the convolutions, and the whole graph is what `deploy`
    makes of the student: what is trained is what will run.

    Example:
        >>> quantized = quantize_aware(student, calibration_crops(people, student))
        >>> distiller = Distiller(student=quantized, teacher=teacher)

    Args:
        student: a trained student `PoseModel`; it is not changed.
        crops: (N, H, W, 3) uint8 RGB, N at least 16, from which the ranges of the
            activations start.

    Returns:
        A `QuantizedStudent`.

    Raises:
        ValueError: if the model is not a student that can be distilled, the crops are
            unfit, or Keras does not run on TensorFlow.
        ModuleNotFoundError: if tensorflow-model-optimization is not installed.
    """
    check_distillable(student)
    check_crops(crops, student)
    return QuantizedStudent(student, crops)


def check_distillable(student: PoseModel) -> None:
    """Raise a ValueError unless a model is a student that a teacher can teach."""
    check_model(student)
    if not student.pose_config.integer_only:
        raise ValueError(
            "quantization-aware distillation needs a model that regresses keypoints "
            f"without decoding. Received: {student.name}"
        )
    if "sigmas" not in student.output:
        raise ValueError(
            "quantization-aware distillation needs a student that predicts confidence. "
            f"Received: {student.name}, whose outputs are {sorted(student.output)}"
        )


@keras.saving.register_keras_serializable(PACKAGE)
class QuantizedStudent(keras.Model):
    """A fake-quantized student, with the inputs and outputs of a student.

    The keypoints and scores are those of an int8 file. What only training needs stays
    in float32: the sigmas, and the visual tokens of the last layer. Tokens are without
    their mean over channels, which a deployed graph does not have: the token losses
    differ by a constant from those of the student.

    A ``.keras`` file holds the student's configuration, all weights and ranges, and
    which of these are frozen: what is loaded trains on, and is exported as before.

    Attributes:
        pose_config: the student's.
        metadata: the student's.
        deployed: functional `keras.Model` from `image` (B, H, W, 3), RGB 0..255, to
            `keypoints` and `scores`; it shares this model's weights.
    """

    def __init__(self, student: PoseModel, crops: np.ndarray | None = None) -> None:
        """Quantize a student; see `quantize_aware`.

        Args:
            student: a student `PoseModel`.
            crops: (N, H, W, 3) uint8 RGB that the ranges start from; None if weights
                and ranges will be loaded.
        """
        config = student.pose_config
        graph = deploy(student, for_integers=True)
        ranges = None if crops is None else operation_ranges(graph, crops)
        quantized = FakeQuantizedGraph(graph, ranges)
        deployed = quantized.model
        extras = config.quantized_outputs(quantized, student)
        outputs = {**deployed.output, **extras}
        core = keras.Model(deployed.inputs, outputs, name=f"{config.name}_integer")
        images = keras.Input((*config.input_size, 3), name="image")
        super().__init__(
            images, core(_denormalize(images)), name=f"{config.name}_quantized"
        )
        self.pose_config = config
        self.metadata = dict(student.metadata)
        self.deployed = deployed

    def freeze_ranges(self) -> None:
        """Keep the ranges of all activations from the next `compile` on."""
        for layer in self._roundings():
            layer.frozen = True

    def __dir__(self):
        """Leave out the deployed graph: Keras would save its layers a second time."""
        return [name for name in super().__dir__() if name != "deployed"]

    def get_config(self) -> Json:
        """Return what rebuilds the graph, and what is known about it, as JSON."""
        return {
            "pose_config": config_to_dict(self.pose_config),
            "metadata": json.loads(json.dumps(self.metadata)),
            "frozen": [layer.frozen for layer in self._roundings()],
        }

    @classmethod
    def from_config(cls, config: Json) -> "QuantizedStudent":
        """Build the graph that `get_config` describes, for weights to be loaded."""
        student = PoseModel(config_from_dict(config["pose_config"]), config["metadata"])
        model = cls(student)
        for layer, frozen in zip(model._roundings(), config["frozen"], strict=True):
            layer.frozen = bool(frozen)
        return model

    def _roundings(self):
        """The layers that round activations, in the order of the graph."""
        return [x for x in self.deployed.layers if isinstance(x, FakeQuantize)]


def _denormalize(images):
    """RGB 0..255 of normalised images."""
    return (images * np.float32(IMAGE_STD) + np.float32(IMAGE_MEAN)) * 255.0
