"""Students that train as if they were computed in integers."""

import keras
import numpy as np
from keras import layers, ops

from distilpose_keras.export.calibration import check_crops
from distilpose_keras.export.convert import check_student
from distilpose_keras.models.deploy import CenteredNorm, deploy
from distilpose_keras.models.layers import attend, gelu
from distilpose_keras.pixels import IMAGE_MEAN, IMAGE_STD
from distilpose_keras.quantization.graph import FakeQuantizedGraph, operation_ranges
from distilpose_keras.quantization.layers import FakeQuantize

TOKEN_HEAD = "keypoint_head-tokenhead"


def quantize_aware(student, crops):
    """Return a student that trains as if it were computed in integers.

    Batch-norm is folded into the convolutions, and the whole graph is what `deploy`
    makes of the student: what is trained is what will run.

    Example:
        >>> quantized = quantize_aware(student, calibration_crops(people, student))
        >>> distiller = Distiller(quantized, teacher)

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


def check_distillable(student):
    """Raise a ValueError unless a model is a student that a teacher can teach."""
    check_student(student)
    if not student.pose_config.confidence:
        raise ValueError(
            "quantization-aware distillation needs a student that predicts confidence. "
            f"Received: {student.pose_config.name}, which has confidence=False"
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

    is_teacher = False

    def __init__(self, student, crops):
        """Quantize a student; see `quantize_aware`."""
        config = student.pose_config
        graph = deploy(student, for_integers=True)
        quantized = FakeQuantizedGraph(graph, operation_ranges(graph, crops))
        extras = _token_outputs if config.has_tokens else _pooled_outputs
        deployed = quantized.model
        outputs = {**deployed.output, **extras(quantized, student)}
        core = keras.Model(deployed.inputs, outputs, name=f"{config.name}_integer")
        images = keras.Input((*config.input_size, 3), name="image")
        super().__init__(
            images, core(_denormalize(images)), name=f"{config.name}_quantized"
        )
        self.pose_config = config
        self.metadata = dict(student.metadata)
        self.deployed = deployed

    def freeze_ranges(self):
        """Keep the ranges of all activations from the next `compile` on."""
        for layer in self._flatten_layers():
            if isinstance(layer, FakeQuantize):
                layer.frozen = True


def _denormalize(images):
    """RGB 0..255 of normalised images."""
    return (images * np.float32(IMAGE_STD) + np.float32(IMAGE_MEAN)) * 255.0


def _float_dense(x, kernel, bias, name):
    layer = layers.Dense(len(bias), name=name, dtype="float32")
    y = layer(x)
    layer.set_weights([kernel, bias])
    return y


def _sigmas(raw):
    """Positive (B, K, 2) of raw (B, K, 1 or 2)."""
    sigmas = ops.softplus(raw)
    return ops.concatenate([sigmas, sigmas], -1) if raw.shape[-1] == 1 else sigmas


def _token_outputs(quantized, student):
    """What training needs of a token student beside keypoints and scores."""
    head = f"{TOKEN_HEAD}-mlp_head"
    gamma, beta = student.get_layer(f"{head}-0").get_weights()
    kernel, bias = student.get_layer(f"{head}-1").get_weights()
    raw = _float_dense(
        quantized.outputs[f"{head}-0"],
        (gamma[:, None] * kernel)[:, 3:],
        (bias + beta @ kernel)[3:],
        name=f"{TOKEN_HEAD}-sigmas",
    )
    return {
        "sigmas": _sigmas(raw),
        "keypoint_tokens": _centered(_stream(quantized, f"{head}-0")),
        "visual_tokens": _centered(_visual_tokens(quantized, student.pose_config)),
    }


def _stream(quantized, norm):
    """Return the tokens that a norm reads; the first of several, NAME-1, does so."""
    return quantized.norm_inputs[f"{norm}-1"]


def _visual_tokens(quantized, config):
    """The visual tokens of the last layer, which a deployed graph leaves out.

    Computed with the rounded weights of that layer, but with float activations: they
    must not widen the ranges of the keypoint tokens.
    """
    name = f"{TOKEN_HEAD}-transformer-layers-{config.token_layers - 1}"
    attention, mlp = f"{name}-0-fn", f"{name}-1-fn"
    k, dim = config.num_keypoints, config.token_dim
    layer, outputs = quantized.model.get_layer, quantized.outputs
    x = _stream(quantized, f"{attention}-norm")
    normed = outputs[f"{attention}-norm"]
    count = x.shape[1]
    y = attend(
        layer(f"{attention}-fn-to_q")(normed[:, k:]),
        ops.reshape(outputs[f"{attention}-fn-to_k"], (-1, count, dim)),
        ops.reshape(outputs[f"{attention}-fn-to_v"], (-1, count, dim)),
        config.token_heads,
        name=f"{attention}-visual-softmax",
    )
    x = x[:, k:] + layer(f"{attention}-fn-to_out-0")(y)
    y = layer(f"{mlp}-fn-net-0")(CenteredNorm(name=f"{mlp}-visual-norm")(x))
    return x + layer(f"{mlp}-fn-net-3")(gelu(y))


def _centered(tokens):
    return tokens - ops.mean(tokens, axis=-1, keepdims=True)


def _pooled_outputs(quantized, student):
    """What training needs of a DeepPose student beside keypoints and scores."""
    k = student.pose_config.num_keypoints
    kernel, bias = student.get_layer("keypoint_head-fc").get_weights()
    kernel = kernel.reshape(len(kernel), k, -1)[..., 3:]
    bias = bias.reshape(k, -1)[:, 3:]
    raw = _float_dense(
        quantized.model.get_layer("keypoint_head-keypoints").input,
        kernel.reshape(len(kernel), -1),
        bias.ravel(),
        name="keypoint_head-sigmas",
    )
    return {"sigmas": _sigmas(ops.reshape(raw, (-1, k, bias.shape[-1])))}
