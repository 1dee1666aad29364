"""Students that train as if they were computed in integers."""

from typing import TYPE_CHECKING

import keras
import numpy as np

from distilpose_keras.export.calibration import check_crops
from distilpose_keras.export.convert import check_model
from distilpose_keras.models.deploy import deploy
from distilpose_keras.pixels import IMAGE_MEAN, IMAGE_STD
from distilpose_keras.quantization.graph import FakeQuantizedGraph, operation_ranges
from distilpose_keras.quantization.layers import FakeQuantize

if TYPE_CHECKING:
    from distilpose_keras.models.model import PoseModel


def quantize_aware(student: "PoseModel", crops: np.ndarray) -> "QuantizedStudent":
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


def check_distillable(student: "PoseModel") -> None:
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


class QuantizedStudent(keras.Model):
    """A fake-quantized student, with the inputs and outputs of a student.

    The keypoints and scores are those of an int8 file. What only training needs stays
    in float32: the sigmas, and the visual tokens of the last layer. Tokens are without
    their mean over channels, which a deployed graph does not have: the token losses
    differ by a constant from those of the student.

    Attributes:
        pose_config: the student's.
        metadata: the student's.
        deployed: functional `keras.Model` from `image` (B, H, W, 3), RGB 0..255, to
            `keypoints` and `scores`; it shares this model's weights.
    """

    def __init__(self, student: "PoseModel", crops: np.ndarray) -> None:
        """Quantize a student; see `quantize_aware`."""
        config = student.pose_config
        graph = deploy(student, for_integers=True)
        quantized = FakeQuantizedGraph(graph, operation_ranges(graph, crops))
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
        for layer in self._flatten_layers():
            if isinstance(layer, FakeQuantize):
                layer.frozen = True


def _denormalize(images):
    """RGB 0..255 of normalised images."""
    return (images * np.float32(IMAGE_STD) + np.float32(IMAGE_MEAN)) * 255.0
