"""Post-training quantization of ONNX graphs, operator by operator.

Convolutions and additions of feature maps become static int8, written as
QuantizeLinear and DequantizeLinear around them; linear maps multiply int8 weights with
activations that are quantized as they come (MatMulInteger). Only operators of the
standard domain; runtimes fuse them into their integer kernels.
"""

import numpy as np
import onnx
from onnx import helper, numpy_helper

from distilpose_keras.export.onnx_links import Links, drop_unused
from distilpose_keras.export.precision import DYNAMIC, FLOAT, INT8, Operator
from distilpose_keras.export.rounding import nearest
from distilpose_keras.export.statistics import WeightedLayer

# Operators on feature maps that ONNX Runtime computes in int8.
FEATURE_MAP_OPERATORS = frozenset({"Conv", "Add", "MaxPool", "Resize"})
# Integer kernels work on so many channels at a time: for fewer they gain nothing.
CHANNELS_AT_A_TIME = 8
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
    """Choose int8 where it is fast and accurate: dict of `Operator` to precision.

    A convolution of the image stays float32: its few channels gain nothing.
    """
    constants = {tensor.name: tensor.dims for tensor in proto.graph.initializer}
    chosen = {}
    for operator in operators(proto):
        channels = constants.get(operator.origin, (0, CHANNELS_AT_A_TIME))[1:2]
        if operator.kind in FEATURE_MAP_OPERATORS and operator.rank == 4:
            few = operator.kind == "Conv" and channels[0] < CHANNELS_AT_A_TIME
            chosen[operator] = FLOAT if few else INT8
        elif operator.kind == "MatMul" and operator.weighted:
            chosen[operator] = DYNAMIC
        else:
            chosen[operator] = FLOAT
    return chosen


def weighted_layers(proto):
    """The convolutions and linear maps of a float32 graph.

    Returns:
        dict of `WeightedLayer` to its weights (out, K), K in the order of its rows.
    """
    constants = {t.name: t for t in proto.graph.initializer}
    found = {}
    for node, operator in zip(proto.graph.node, operators(proto), strict=True):
        if not operator.weighted or operator.kind not in ("Conv", "MatMul"):
            continue
        weights = _outputs_first(numpy_helper.to_array(constants[node.input[1]]))
        window = None
        if operator.kind == "Conv":
            attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
            top, left, bottom, right = attributes.get("pads", (0, 0, 0, 0))
            window = (
                tuple(weights.shape[1:3]),
                tuple(attributes.get("strides", (1, 1))),
                (top, bottom, left, right),
            )
        layer = WeightedLayer(node.input[1], node.input[0], window)
        found[layer] = weights.reshape(len(weights), -1)
    return found


def _outputs_first(weights):
    """(out, C, h, w) -> (out, h, w, C), or (K, out) -> (out, K)."""
    return weights.transpose(0, 2, 3, 1) if weights.ndim == 4 else weights.T


def open_with_outputs(proto, layers):
    """Open a graph so that it returns what is to be quantized.

    Args:
        proto: ``ModelProto`` of a float32 graph with one input.
        layers: `WeightedLayer`s whose sources are returned.

    Returns:
        function of a crop (1, H, W, 3) float32 that returns a dict of tensor name to
        value, channels last, for the layers' sources and what feature-map operators
        read and write.
    """
    import onnxruntime

    maps = _feature_maps(proto)
    names = list(dict.fromkeys([*maps, *(layer.source for layer in layers)]))
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

    def run(crop):
        values = dict(zip(names, session.run(names, {image: crop}), strict=True))
        return values | {name: values[name].transpose(0, 2, 3, 1) for name in maps}

    return run


def _feature_maps(proto):
    """Names of the tensors that feature-map operators and their ReLUs touch."""
    constants = {tensor.name for tensor in proto.graph.initializer}
    kinds = FEATURE_MAP_OPERATORS | {"Relu"}
    found = {}
    for node, operator in zip(proto.graph.node, operators(proto), strict=True):
        if operator.kind in kinds and operator.rank == 4:
            found |= dict.fromkeys((*node.input, *node.output))
    return [name for name in found if name and name not in constants]


def quantize(proto, precisions, ranges, rounded):
    """Quantize a float32 ONNX graph.

    Args:
        proto: ``ModelProto``; not changed.
        precisions: dict of `Operator` to `FLOAT`, `DYNAMIC` (MatMul) or `INT8`
            (feature-map operators), for all operators but ReLUs, which follow the
            operator before them.
        ranges: dict of tensor name to `statistics.Range`, for feature maps.
        rounded: dict of the name of weights to int8 (out, K), where others are wanted
            than the nearest.

    Returns:
        the quantized ``ModelProto``.
    """
    result = onnx.ModelProto()
    result.CopyFrom(proto)
    chosen = {operator.name: value for operator, value in precisions.items()}
    _Writer(result.graph, chosen, _shared(proto, ranges), rounded).write()
    drop_unused(result.graph)
    return result


def _shared(proto, ranges):
    """Ranges, those of operators that keep the scale shared with their input."""
    ranges = dict(ranges)
    for node in proto.graph.node:
        if node.op_type in SAME_SCALE and node.input[0] in ranges:
            ranges[node.output[0]] = ranges[node.input[0]]
    return ranges


class _Writer:
    """Rewrites one graph."""

    def __init__(self, graph, precisions, ranges, rounded):
        self.graph = graph
        self.links = Links(graph)
        self.precisions = precisions
        self.ranges = ranges
        self.rounded = rounded
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
        # Zero, the padding, must be exact.
        low, high = min(self.ranges[name].low, 0.0), max(self.ranges[name].high, 0.0)
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
        weights, scales = self._round(conv.input[1])
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
        weights, scales = self._round(weight)
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

    def _round(self, name):
        """Weights as int8 in their own layout, and one scale per output."""
        array = self._array(name)
        last = _outputs_first(array)
        steps, scales = nearest(last.reshape(len(last), -1))
        steps = self.rounded.get(name, steps).reshape(last.shape)
        return steps.transpose(0, 3, 1, 2) if array.ndim == 4 else steps.T, scales

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
