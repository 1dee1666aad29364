"""A deployed graph with every activation and kernel fake-quantized.

The file that comes of a graph has one operator for each operation, but for a GELU,
which is one operator, and a ReLU, which belongs to the operator before it. An operator
reads and writes int8 or, where 8 bits are too few, int16 (`WIDE_OPERATORS`); who reads
int8 rounds what was written as int16. Training rounds where the file does, so that it
sees what the file computes.
"""

import keras
import numpy as np
from keras import layers, ops

from distilpose_keras.export.integers import (
    IMAGE_RANGE,
    WIDE_MARGIN,
    WIDE_OPERATORS,
    largest_inverse,
)
from distilpose_keras.models.deployed_tokens import CenteredNorm, centered_norm
from distilpose_keras.models.token_layers import PrependConstant, PrependTokens
from distilpose_keras.quantization.layers import (
    FakeQuantize,
    FakeQuantizedConv2D,
    FakeQuantizedDense,
)
from distilpose_keras.quantization.tfmot import BITS, PROBABILITY_RANGE

WIDE_BITS = 16
# TFLite's name of the operations that may be wide.
OPERATORS = {
    "Add": "ADD",
    "AddConstant": "ADD",
    "GetItem": "STRIDED_SLICE",
    "GlobalAveragePooling2D": "MEAN",
    "PrependTokens": "CONCATENATION",
}
# Operations that give values of their input, and keep its range.
MOVES = {"GetItem", "MaxPooling2D", "Reshape", "Resize", "Transpose", "ZeroPadding2D"}
PROBABILITIES = {"Sigmoid", "Softmax"}
QUANTIZED_LAYERS = {
    layers.Conv2D: FakeQuantizedConv2D,
    layers.Dense: FakeQuantizedDense,
}


def operation_ranges(graph, crops, batch_size=32):
    """Run a deployed graph and record the values of its operations.

    Args:
        graph: what `deploy` returns for integers, for any batch size.
        crops: (N, H, W, 3) uint8 RGB.
        batch_size: crops at a time; a range is the mean of the batches' extremes.

    Returns:
        dict of (low, high) by the name of the operation, and by the name and the step
        of a norm.
    """
    tensors = {}
    for operation in graph.operations:
        name = operation.name
        if isinstance(operation, CenteredNorm):
            centered_norm(
                operation.input,
                lambda step, x, name=name: tensors.setdefault(f"{name}/{step}", x),
            )
        tensors[name] = operation.output
    extremes = keras.Model(
        graph.inputs,
        ops.stack([f(x) for x in tensors.values() for f in (ops.min, ops.max)]),
    )
    extremes.compile(jit_compile=False)  # compiling takes longer than running
    found = [
        extremes.predict_on_batch(crops[i : i + batch_size].astype("float32"))
        for i in range(0, len(crops), batch_size)
    ]
    ranges = map(tuple, np.mean(found, axis=0).reshape(-1, 2).tolist())
    ranges = dict(zip(tensors, ranges, strict=True))
    for name in [name for name in ranges if name.endswith("/inverse")]:
        _, variance = ranges[name.replace("/inverse", "/variance")]
        ranges[name] = (0.0, largest_inverse(WIDE_MARGIN * variance) / WIDE_MARGIN)
    return ranges


class FakeQuantizedGraph:
    """A deployed graph, fake-quantized.

    Attributes:
        model: functional `keras.Model` with the inputs and outputs of the graph.
        outputs: dict of the output of each operation by its name, rounded where the
            operation writes it to.
        norm_inputs: dict of the input of each `CenteredNorm` by its name.
    """

    def __init__(self, graph, ranges):
        """Quantize a graph.

        Args:
            graph: what `deploy` returns for integers, for any batch size.
            ranges: what `operation_ranges` returns; None if the weights are yet to be
                loaded, and the ranges with them.
        """
        self.outputs = {}
        self.norm_inputs = {}
        self._ranges = ranges
        self._fused = _fused_operations(graph)
        self._symmetric = _second_factors(graph)
        self._origins = {}  # of a tensor, by its id: name of the operation, its bits
        self._narrowed = {}  # by id of a tensor: its 8-bit version
        self.model = keras.models.clone_model(
            graph, clone_function=_quantized_layer, call_function=self._call
        )
        for operation in graph.operations:
            if type(operation) in QUANTIZED_LAYERS:
                layer = self.model.get_layer(operation.name)
                layer.set_float_weights(*operation.get_weights())

    def _call(self, operation, *args, **kwargs):
        """Call an operation of the graph: `clone_model` does so for each."""
        name, kind = operation.name, type(operation).__name__
        if isinstance(operation, CenteredNorm):
            (self.norm_inputs[name],) = args
            bits = WIDE_BITS
            y = centered_norm(
                *args, lambda step, x: self._round(x, f"{name}/{step}", WIDE_BITS)
            )
        else:
            bits = self._bits_of(kind)
            if bits == BITS:
                args = keras.tree.map_structure(self._narrow, args)
            y = operation(*args, **kwargs)
        if name in self._fused:
            bits = None
        elif kind not in MOVES:
            fixed_range = PROBABILITY_RANGE if kind in PROBABILITIES else None
            y = self._round(y, name, bits, fixed_range)
        self._origins[id(y)] = (name, bits)
        self.outputs[name] = y
        return y

    def _bits_of(self, kind):
        """Bits that an operation reads and writes."""
        if kind == "Relu":  # part of the operator whose sum it cuts
            kind = "Add"
        return WIDE_BITS if OPERATORS.get(kind) in WIDE_OPERATORS else BITS

    def _narrow(self, x):
        """Return what an 8-bit operator reads of a tensor or a constant."""
        if isinstance(x, np.ndarray):
            step = np.abs(x).max() / 127
            return np.rint(x / step) * step
        if not keras.utils.is_keras_tensor(x):
            return x
        name, bits = self._origins.get(id(x), ("image", WIDE_BITS))
        if bits in (BITS, None):
            return x
        if id(x) not in self._narrowed:
            fixed_range = IMAGE_RANGE if name == "image" else None
            self._narrowed[id(x)] = self._round(x, name, BITS, fixed_range)
        return self._narrowed[id(x)]

    def _round(self, x, name, bits, fixed_range=None):
        layer = FakeQuantize(
            bits,
            fixed_range,
            symmetric=name in self._symmetric,
            name=f"{name}-int{bits}".replace("/", "-"),
        )
        y = layer(x)
        if fixed_range is None and self._ranges is not None:
            margin = WIDE_MARGIN if bits == WIDE_BITS else 1.0
            low, high = self._ranges[name]
            layer.set_range(margin * low, margin * high)
        return y


def with_float_kernels(model):
    """Return a fake-quantized graph that has float kernels, rounded activations."""
    kinds = {fake: kind for kind, fake in QUANTIZED_LAYERS.items()}

    def clone(operation):
        kind = kinds.get(type(operation))
        return operation if kind is None else kind.from_config(operation.get_config())

    result = keras.models.clone_model(
        model,
        clone_function=clone,
        call_function=lambda operation, *args, **kwargs: operation(*args, **kwargs),
    )
    for layer in model.layers:
        if type(layer) in kinds:
            result.get_layer(layer.name).set_weights([layer.kernel, layer.bias])
    return result


def _quantized_layer(operation):
    """Return what takes an operation's place."""
    if isinstance(operation, PrependConstant):
        return _stored_tokens(operation)
    kind = QUANTIZED_LAYERS.get(type(operation))
    return operation if kind is None else kind.from_config(operation.get_config())


def _stored_tokens(operation):
    """Keypoint tokens as weights that are saved with the others, and not trained."""
    value = np.array(operation.get_config()["value"], "float32")
    layer = PrependTokens(
        len(value), name=operation.name, dtype=operation.dtype_policy, trainable=False
    )
    layer.build(operation.input.shape)
    layer.set_weights([value[None]])
    return layer


def _fused_operations(graph):
    """Name the operations that TFLite computes as part of a later one."""
    writer = {id(op.output): op for op in graph.operations}
    reader = {id(x): op for op in graph.operations for x in _inputs(op)}
    fused = set()
    for operation in graph.operations:
        kind = type(operation).__name__
        if kind == "Relu":
            fused.add(writer[id(operation.input)].name)
        elif kind == "Erf":  # of a GELU: 0.5 x * (1 + erf(c x))
            one_more = reader[id(operation.output)]
            factors = _inputs(reader[id(one_more.output)])
            fused |= {writer[id(operation.input)].name, operation.name}
            fused |= {writer[id(factor)].name for factor in factors}
    return fused


def _second_factors(graph):
    """Name the operations whose values products of activations read second.

    As in `distilpose_keras.export.integers`: fast kernels want their zero point at 0.
    """
    writer = {id(op.output): op for op in graph.operations}
    found = set()
    for operation in graph.operations:
        if type(operation).__name__ == "Matmul":
            source = writer[id(_inputs(operation)[1])]
            while type(source).__name__ in MOVES:
                source = writer[id(source.input)]
            found.add(source.name)
    return found


def _inputs(operation):
    return keras.tree.flatten(operation.input)
