"""Post-training quantization of ONNX graphs, operator by operator.

Convolutions and additions of feature maps become static int8, written as
QuantizeLinear and DequantizeLinear around them; linear maps multiply int8 weights with
activations that are quantized as they come (MatMulInteger). Only operators of the
standard domain; runtimes fuse them into their integer kernels.
"""

import numpy as np
import onnx
from onnx import helper, numpy_helper

from distilpose_keras.export.onnx_graph import Links, drop_unused
from distilpose_keras.export.precision import DYNAMIC, FLOAT, INT8, Operator

# Operators on feature maps that ONNX Runtime computes in int8.
FEATURE_MAP_OPERATORS = frozenset({"Conv", "Add", "MaxPool", "Resize"})
# Their output has the scale of their input.
SAME_SCALE = frozenset({"MaxPool", "Resize"})


def operators(proto):
    """List the operators of an ONNX graph, in the order they run."""
    inferred = onnx.shape_inference.infer_shapes(proto).graph
    ranks = {
        value.name: len(value.type.tensor_type.shape.dim)
        for value in (*inferred.value_info, *inferred.output)
    }
    constants = {tensor.name for tensor in proto.graph.initializer}
    found = []
    for node in proto.graph.node:
        weighted = len(node.input) > 1 and node.input[1] in constants
        found.append(
            Operator(
                name=node.output[0],
                kind=node.op_type,
                rank=ranks.get(node.output[0], 0),
                weighted=weighted,
                # tf2onnx renames outputs, but not weights.
                origin=node.input[1] if weighted else "",
            )
        )
    return found


def selective(proto):
    """Choose int8 where it is fast and accurate: dict of `Operator` to precision."""
    return {operator: _selective_precision(operator) for operator in operators(proto)}


def _selective_precision(operator):
    if operator.kind in FEATURE_MAP_OPERATORS and operator.rank == 4:
        return INT8
    if operator.kind == "MatMul" and operator.weighted:
        return DYNAMIC
    return FLOAT


def activation_ranges(proto, crops, *, progress=None):
    """Run a float32 graph on crops and record what its feature maps hold.

    The range of a tensor is the mean over crops of its smallest and its largest
    value: one odd crop does not stretch it.

    Args:
        proto: ``ModelProto`` of a float32 graph with one input.
        crops: (N, H, W, 3) uint8 RGB.
        progress: None, or a function called after each crop.

    Returns:
        dict of tensor name to (low, high), for what feature-map operators read and
        write.
    """
    import onnxruntime

    names = _feature_maps(proto)
    probe = onnx.ModelProto()
    probe.CopyFrom(proto)
    del probe.graph.output[:]
    probe.graph.output.extend(
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
        for name in names
    )
    session = onnxruntime.InferenceSession(
        probe.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    image = proto.graph.input[0].name
    total = np.zeros((len(names), 2))
    for crop in crops:
        values = session.run(names, {image: crop[None].astype(np.float32)})
        total += [(value.min(), value.max()) for value in values]
        if progress is not None:
            progress()
    ranges = dict(zip(names, map(tuple, total / len(crops)), strict=True))
    for node in proto.graph.node:
        if node.op_type in SAME_SCALE and node.input[0] in ranges:
            ranges[node.output[0]] = ranges[node.input[0]]
    return ranges


def _feature_maps(proto):
    """Names of the tensors that feature-map operators and their ReLUs touch."""
    constants = {tensor.name for tensor in proto.graph.initializer}
    kinds = FEATURE_MAP_OPERATORS | {"Relu"}
    found = {}
    for node, operator in zip(proto.graph.node, operators(proto), strict=True):
        if operator.kind in kinds and operator.rank == 4:
            found |= dict.fromkeys((*node.input, *node.output))
    return [name for name in found if name and name not in constants]


def quantize(proto, precisions, ranges):
    """Quantize a float32 ONNX graph.

    Args:
        proto: ``ModelProto``; not changed.
        precisions: dict of `Operator` to `FLOAT`, `DYNAMIC` (MatMul) or `INT8`
            (feature-map operators), for all operators but ReLUs, which follow the
            operator before them.
        ranges: dict of tensor name to (low, high), from `activation_ranges`.

    Returns:
        the quantized ``ModelProto``.
    """
    result = onnx.ModelProto()
    result.CopyFrom(proto)
    chosen = {operator.name: value for operator, value in precisions.items()}
    _Writer(result.graph, chosen, ranges).write()
    drop_unused(result.graph)
    return result


class _Writer:
    """Rewrites one graph."""

    def __init__(self, graph, precisions, ranges):
        self.graph = graph
        self.links = Links(graph)
        self.precisions = precisions
        self.ranges = ranges
        self.nodes = []

    def write(self):
        quantized = self._quantized_tensors()
        for name in quantized & {value.name for value in self.graph.input}:
            self._requantize(name)
        for node in self.graph.node:
            self._emit(node, quantized)
            for name in quantized.intersection(node.output):
                self._requantize(name)
        del self.graph.node[:]
        self.graph.node.extend(self.nodes)

    def _is_int8(self, node):
        if node.op_type == "Relu":
            maker = self.links.makers.get(node.input[0])
            return maker is not None and self._is_int8(maker)
        return self.precisions.get(node.output[0], FLOAT) == INT8

    def _quantized_tensors(self):
        """Activations that are stored as int8."""
        found = set()
        for node in filter(self._is_int8, self.graph.node):
            found.update(node.input, node.output)
        found &= self.ranges.keys()
        # A ReLU is computed by the operator before it: nothing lies between.
        return {name for name in found if not self.links.reader(name, "Relu")}

    def _emit(self, node, quantized):
        """Append a node, reading the quantized form of its inputs."""
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        for i, name in enumerate(node.input):
            if name in quantized:
                copy.input[i] = f"{name}/dequantized"
        if node.op_type == "Conv" and self._is_int8(node):
            self._quantize_weights(copy, self._scale(node.input[0])[0])
        if self.precisions.get(node.output[0]) == DYNAMIC:
            self._emit_integer_product(copy)
        else:
            self.nodes.append(copy)

    def _scale(self, name):
        """Scale and zero point of an activation as uint8."""
        low, high = self.ranges[name]
        low, high = min(low, 0.0), max(high, 0.0)  # zero, the padding, must be exact
        scale = np.float32((high - low) / 255 or 1.0)
        return scale, np.uint8(np.clip(np.rint(-low / scale), 0, 255))

    def _requantize(self, name):
        """Append the quantization of an activation and back."""
        scale, zero = self._scale(name)
        scale = self._constant(f"{name}/scale", scale)
        zero = self._constant(f"{name}/zero_point", zero)
        quantized, back = f"{name}/quantized", f"{name}/dequantized"
        self._node("QuantizeLinear", [name, scale, zero], quantized)
        self._node("DequantizeLinear", [quantized, scale, zero], back)

    def _quantize_weights(self, conv, input_scale):
        """Make a convolution's weights int8 per channel, its bias int32."""
        weights, scales = _per_channel(self._array(conv.input[1]), axis=0)
        conv.input[1] = self._dequantized(conv.input[1], weights, scales)
        if len(conv.input) > 2:
            scales = scales * input_scale
            bias = np.rint(self._array(conv.input[2]) / scales).astype(np.int32)
            name = f"{conv.output[0]}/{conv.input[2]}"
            conv.input[2] = self._dequantized(name, bias, scales)

    def _dequantized(self, name, integers, scales):
        """Append constants that dequantize to a float tensor; return its name."""
        quantized = self._constant(f"{name}/quantized", integers)
        scale = self._constant(f"{name}/scale", scales.astype(np.float32))
        zero = np.zeros(scales.shape, integers.dtype)
        zero = self._constant(f"{name}/zero_point", zero)
        back = f"{name}/dequantized"
        self._node("DequantizeLinear", [quantized, scale, zero], back, axis=0)
        return back

    def _emit_integer_product(self, product):
        """Append a MatMul of activations, quantized now, and int8 weights."""
        x, weight = product.input
        end = product.output[0]
        weights, scales = _per_channel(self._array(weight), axis=1)
        weights = self._constant(f"{weight}/quantized", weights)
        scales = self._constant(f"{weight}/scale", scales.astype(np.float32))
        parts = [f"{x}/dynamic", f"{x}/dynamic_scale", f"{x}/dynamic_zero_point"]
        if not any(parts[0] in node.output for node in self.nodes):
            self.nodes.append(
                helper.make_node("DynamicQuantizeLinear", [x], parts, name=parts[0])
            )
        self._node("MatMulInteger", [parts[0], weights, parts[2]], f"{end}/integer")
        self._node("Cast", [f"{end}/integer"], f"{end}/float", to=1)
        self._node("Mul", [parts[1], scales], f"{end}/scales")
        self._node("Mul", [f"{end}/float", f"{end}/scales"], end)

    def _node(self, kind, inputs, output, **attributes):
        name = f"{output}/{kind}"
        self.nodes.append(
            helper.make_node(kind, inputs, [output], name=name, **attributes)
        )

    def _array(self, name):
        return numpy_helper.to_array(self.links.constants[name])

    def _constant(self, name, value):
        if name not in self.links.constants:
            tensor = numpy_helper.from_array(np.asarray(value), name)
            self.links.constants[name] = tensor
            self.graph.initializer.append(tensor)
        return name


def _per_channel(weights, axis):
    """Weights as int8, and one scale per channel of the axis."""
    others = tuple(i for i in range(weights.ndim) if i != axis)
    scales = np.abs(weights).max(axis=others) / 127
    scales = np.where(scales == 0, 1, scales)
    shape = [-1 if i == axis else 1 for i in range(weights.ndim)]
    return np.rint(weights / scales.reshape(shape)).astype(np.int8), scales
