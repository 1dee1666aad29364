"""A trained model on its way into an inference graph: what constants can take over.

Passes over any functional graph, none of which changes an output:

* Images enter as RGB 0..255; a model of BGR gets a first kernel for RGB. The mean is
  subtracted before the first convolution's zero padding, the division by the standard
  deviation is folded into its weights.
* Batch-norm is folded into the convolution or linear map before it.
* A ReLU becomes the activation of the convolution that it follows.
* A dropout does nothing and is left out.
* Only what the wanted outputs depend on is built: the rest is for training.
"""

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from distilpose_keras.models.decoding import Decode
from distilpose_keras.types import Tensor

# Layers that take over a batch-norm, and the axes of their kernels that it scales.
FOLDABLE = {
    layers.Conv2D: (3,),
    layers.Conv2DTranspose: (2,),
    layers.DepthwiseConv2D: (2, 3),
    layers.Dense: (1,),
}
KERNEL_CHANNELS = {layers.Conv2D: 2, layers.DepthwiseConv2D: 2}  # axis of the input's


class Folding:
    """Builds an inference graph out of a trained model.

    Attributes:
        images: (B, H, W, 3) RGB 0..255, the input of the new graph.
        codec: how the model's outputs are decoded.
        order: slice that turns RGB into the order of channels that the model reads.
        norms: times that tokens are normalised, see `models.deployed_tokens`.
    """

    def __init__(self, model: keras.Model, images: Tensor, *, norms: int = 1) -> None:
        """Take a `PoseModel` or a `FinderModel`; all weights are those of now."""
        config = model_config(model)
        self.images = images
        self.codec = config.codec
        self.norms = norms
        self._model = model
        self.order = slice(None, None, -1 if config.bgr else None)
        self._mean = np.array(config.image_mean)[self.order] * 255
        self._deviation = np.array(config.image_std)[self.order] * 255
        self._weights = {
            f"{layer.name}/{variable.name}": keras.ops.convert_to_numpy(variable)
            for layer in model.layers
            for variable in layer.variables
        }

    def weight(self, name: str) -> np.ndarray:
        """Return a weight, ``layer/variable``, in float64: folding adds no rounding."""
        return self._weights[name].astype("float64")

    def linear(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Return kernel and bias of a linear map or convolution; no bias is zeros."""
        kernel = self.weight(f"{name}/kernel")
        if f"{name}/bias" in self._weights:
            return kernel, self.weight(f"{name}/bias")
        return kernel, np.zeros(kernel.shape[-1])

    def outputs(self, names: Iterable[str]) -> dict[str, Tensor]:
        """Build some of the model's outputs in the new graph: a dict of tensors."""
        return self._build({name: self._model.output[name] for name in names})

    def input_of(self, layer_name: str) -> Tensor:
        """Build what a layer of the model reads, in the new graph."""
        return self._build(self._model.get_layer(layer_name).input)

    def decode(self, outputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Decode outputs in the new graph: `keypoints` and `scores`."""
        if self.codec.outputs == ("keypoints", "scores"):
            return self.codec.graph_decode(outputs)
        return Decode(self.codec, name="decode")(outputs)

    def _build(self, tensors):
        part = keras.Model(self._model.inputs, tensors)
        return _Passes(self, part, self._mean, self._deviation).run()


def model_config(model: Any) -> Any:
    """Return the configuration of a `PoseModel` or a `FinderModel`, or None."""
    config = getattr(model, "pose_config", None)
    return config or getattr(model, "finder_config", None)


def with_weights(layer: keras.layers.Layer, x: Tensor, *weights: np.ndarray) -> Tensor:
    """Apply a layer and give it its weights."""
    y = layer(x)
    layer.set_weights(weights)
    return y


def float_dense(
    x: Tensor, kernel: np.ndarray, bias: np.ndarray, *, name: str
) -> Tensor:
    """Apply a linear map in float32, whatever precision is used around it."""
    return with_weights(
        layers.Dense(len(bias), name=name, dtype="float32"), x, kernel, bias
    )


class _Passes:
    """Builds one functional graph anew."""

    def __init__(self, folding, part, mean, deviation):
        self._folding = folding
        self._part = part
        self._mean, self._deviation = mean, deviation
        self._raw = {}  # tensors that are not yet divided by the deviation, by id
        self._readers = _readers(part)
        self._norms, self._activated, self._absorbed = {}, set(), set()
        for operation in part.operations:
            if type(operation) in FOLDABLE:
                self._absorb(operation)

    def run(self):
        """Return the tensors of the new graph."""
        images = self._folding.images
        self._start = images - self._mean.astype("float32")
        self._raw[id(self._start)] = self._start
        return keras.models.clone_model(
            self._part,
            input_tensors=[images],
            clone_function=lambda operation: operation,
            call_function=self._call,
        ).output

    def _absorb(self, operation):
        """Note the norm and the ReLU that follow an operation and nothing else does."""
        last = operation
        following = self._only_reader(last)
        if isinstance(following, layers.BatchNormalization):
            self._norms[operation.name] = following.name
            self._absorbed.add(following.name)
            last = following
            following = self._only_reader(last)
        activation = getattr(operation, "activation", keras.activations.linear)
        linear = activation in (None, keras.activations.linear)
        if linear and _is_relu(following):
            self._activated.add(operation.name)
            self._absorbed.add(following.name)

    def _only_reader(self, operation):
        readers = self._readers.get(id(operation.output), [])
        return readers[0] if len(readers) == 1 else None

    def _call(self, operation, *args, **kwargs):
        args = [self._start if x is self._folding.images else x for x in args]
        if operation.name in self._absorbed or isinstance(operation, layers.Dropout):
            return args[0]
        kwargs.pop("training", None)
        raw = any(id(x) in self._raw for x in args)
        if type(operation) in FOLDABLE:
            foldable = type(operation) in KERNEL_CHANNELS
            if raw and not foldable:
                args, raw = (self._divided(args[0]),), False
            return self._folded(operation, args[0], raw)
        if raw and isinstance(operation, layers.ZeroPadding2D):
            y = _copy(operation)(*args)
            self._raw[id(y)] = y
            return y
        if raw:
            args = [self._divided(x) if id(x) in self._raw else x for x in args]
        copy = _copy(operation)
        y = copy(*args, **kwargs)
        if isinstance(copy, layers.Layer) and copy.weights:
            copy.set_weights(operation.get_weights())
        return y

    def _divided(self, x):
        x = x * (1 / self._deviation).astype("float32")
        return x if self._folding.order.step is None else x[..., self._folding.order]

    def _folded(self, operation, x, raw):
        """A layer that has taken over its norm, its ReLU and the image's deviation."""
        kind = type(operation)
        kernel, bias = self._folding.linear(operation.name)
        if raw:
            kernel = kernel[:, :, self._folding.order]
            kernel = kernel / np.expand_dims(self._deviation, (0, 1, 3))
        if kind is layers.DepthwiseConv2D and not operation.use_bias:
            bias = np.zeros(kernel.shape[2] * kernel.shape[3])
        elif kind is layers.Conv2DTranspose and not operation.use_bias:
            bias = np.zeros(kernel.shape[2])
        if operation.name in self._norms:
            scale, offset = self._scale_and_offset(self._norms[operation.name])
            bias = bias * scale + offset
            axes = FOLDABLE[kind]
            shape = [n if i in axes else 1 for i, n in enumerate(kernel.shape)]
            kernel = kernel * scale.reshape(shape)
        config = operation.get_config() | {"dtype": "float32", "use_bias": True}
        if operation.name in self._activated:
            config["activation"] = "relu"
        return with_weights(kind.from_config(config), x, kernel, bias)

    def _scale_and_offset(self, norm_name):
        """What a batch-norm multiplies by and adds, in inference."""
        norm = self._part.get_layer(norm_name)
        weight = self._folding.weight
        scale = 1 / np.sqrt(weight(f"{norm_name}/moving_variance") + norm.epsilon)
        if norm.scale:
            scale = scale * weight(f"{norm_name}/gamma")
        offset = -weight(f"{norm_name}/moving_mean") * scale
        return scale, offset + (weight(f"{norm_name}/beta") if norm.center else 0.0)


def _copy(operation):
    """An operation like another one, in float32 whatever the training's precision."""
    config = operation.get_config()
    if isinstance(operation, layers.Layer):
        config = config | {"dtype": "float32"}
    return type(operation).from_config(config)


def _is_relu(operation):
    if isinstance(operation, layers.Activation):
        return operation.activation is keras.activations.relu
    return type(operation) is type(ops.relu(keras.KerasTensor((1,)))._keras_history[0])


def _readers(part):
    """Operations that read each tensor, by the tensor's id; outputs count as read."""
    readers = {}
    for operation in part.operations:
        for x in keras.tree.flatten(operation.input):
            readers.setdefault(id(x), []).append(operation)
    for x in part.outputs:
        readers.setdefault(id(x), []).append(None)
    return readers
