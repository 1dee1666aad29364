"""Post-training quantization of ONNX graphs, operator by operator.

Convolutions and additions of feature maps become static int8, written as
QuantizeLinear and DequantizeLinear around them; linear maps multiply int8 weights with
activations that are quantized as they come (MatMulInteger), and their output is not
rounded. A convolution that cuts feature maps into patches becomes such a linear map.
Only operators of the standard domain; runtimes fuse them into their integer kernels.
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

    A convolution of the image and a linear map to the outputs stay float32: their few
    channels gain nothing.
    """
    links, sizes = Links(proto.graph), _map_sizes(proto)
    chosen = {}
    for node, operator in zip(proto.graph.node, operators(proto), strict=True):
        chosen[operator] = FLOAT
        if operator.kind in ("Conv", "MatMul") and operator.weighted:
            # Channels of (out, channels, h, w) and of (K, channels).
            channels = links.constants[operator.origin].dims[1]
            if channels < CHANNELS_AT_A_TIME:
                continue
        if operator.kind in FEATURE_MAP_OPERATORS and operator.rank == 4:
            patches = _cuts_patches(node, links, sizes)
            chosen[operator] = DYNAMIC if patches else INT8
        elif operator.kind == "MatMul" and operator.weighted:
            chosen[operator] = DYNAMIC
    return chosen


def _cuts_patches(node, links, sizes):
    """Whether a convolution cuts whole maps into patches that no other map reads."""
    if node.op_type != "Conv":
        return False
    attributes = _attributes(node)
    window = list(links.constants[node.input[1]].dims[2:])
    size = sizes.get(node.input[0], (0, 0))
    return (
        attributes.get("strides") == window
        and all(n > 0 and n % step == 0 for n, step in zip(size, window, strict=True))
        and not any(attributes.get("pads", ()))
        and {*attributes.get("dilations", ()), attributes.get("group", 1)} == {1}
        and not any(
            reader.op_type in FEATURE_MAP_OPERATORS | {"Relu"}
            for reader in links.readers[node.output[0]]
        )
    )


def _attributes(node):
    """Attributes of a node by name."""
    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


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
            attributes = _attributes(node)
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
        precisions: dict of `Operator` to `FLOAT`, `DYNAMIC` (MatMul, Conv of
            patches) or `INT8` (feature-map operators), for all operators but ReLUs,
            which follow the operator before them.
        ranges: dict of tensor name to `statistics.Range`, for feature maps.
        rounded: dict of the name of weights to int8 (out, K), where others are wanted
            than the nearest.

    Returns:
        the quantized ``ModelProto``.
    """
    result = onnx.ModelProto()
    result.CopyFrom(proto)
    chosen = {operator.name: value for operator, value in precisions.items()}
    ranges = _shared(proto, ranges)
    _Writer(result.graph, _map_sizes(proto), chosen, ranges, rounded).write()
    drop_unused(result.graph)
    return result


def _map_sizes(proto):
    """(height, width) of the feature maps by name."""
    inferred = onnx.shape_inference.infer_shapes(proto).graph
    shapes = {
        value.name: [axis.dim_value for axis in value.type.tensor_type.shape.dim]
        for value in (*inferred.input, *inferred.value_info)
    }
    return {name: shape[2:] for name, shape in shapes.items() if len(shape) == 4}


def _shared(proto, ranges):
    """Ranges, those of operators that keep the scale shared with their input."""
    ranges = dict(ranges)
    for node in proto.graph.node:
        if node.op_type in SAME_SCALE and node.input[0] in ranges:
            ranges[node.output[0]] = ranges[node.input[0]]
    return ranges


class _Writer:
    """Rewrites one graph."""

    def __init__(self, graph, sizes, precisions, ranges, rounded):
        self.graph = graph
        self.links = Links(graph)
        self.sizes = sizes
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
        if self.precisions.get(node.output[0]) == DYNAMIC:
            self._emit_integer_product(node, quantized)
            return
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        for i, name in enumerate(node.input):
            if name in quantized:
                copy.input[i] = f"{name}/dequantized"
        if node.op_type == "Conv" and self._is_int8(node):
            self._quantize_weights(copy, self._scale(node.input[0])[0])
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

    def _emit_integer_product(self, node, quantized):
        """Append a MatMul, or Conv of patches, of integers; its output is float."""
        x, weight, *bias = node.input
        end = node.output[0]
        x, scale, zero = self._integers(x, quantized)
        if node.op_type == "MatMul":
            self._multiply(x, scale, zero, weight, end)
            return
        tokens, channels_first = f"{end}/tokens", f"{end}/channels_first"
        x, grid = self._cut(x, node)
        self._multiply(x, scale, zero, weight, tokens)
        if bias:
            self._node("Add", [tokens, bias[0]], f"{end}/biased")
            tokens = f"{end}/biased"
        self._node("Transpose", [tokens], channels_first, perm=(0, 2, 1))
        self._reshape(channels_first, end, (-1, *grid))

    def _multiply(self, x, scale, zero, weight, output):
        """Append the product of uint8 rows with scale and zero, and int8 weights."""
        rows, scales = self._round_rows(weight)
        rows = self._constant(f"{weight}/quantized", rows.T)
        scales = self._constant(f"{weight}/scale", scales.astype(np.float32))
        self._node("MatMulInteger", [x, rows, zero], f"{output}/integer")
        self._node("Cast", [f"{output}/integer"], f"{output}/float", to=1)
        self._node("Mul", [scale, scales], f"{output}/scales")
        self._node("Mul", [f"{output}/float", f"{output}/scales"], output)

    def _cut(self, name, conv):
        """Append what makes (B, rows * columns, h * w * C) of maps (B, C, H, W).

        Returns:
            the name of the patches, and (rows, columns).
        """
        height, width = self.sizes[conv.input[0]]
        _, channels, h, w = self.links.constants[conv.input[1]].dims
        grid = (height // h, width // w)
        last = f"{name}/channels_last"
        self._node("Transpose", [name], last, perm=(0, 2, 3, 1))
        self._reshape(last, f"{name}/cut", (grid[0], h, grid[1], w * channels))
        self._node(
            "Transpose", [f"{name}/cut"], f"{name}/patches", perm=(0, 1, 3, 2, 4)
        )
        self._reshape(
            f"{name}/patches", f"{name}/rows", (grid[0] * grid[1], h * w * channels)
        )
        return f"{name}/rows", grid

    def _reshape(self, name, output, shape):
        """Append a Reshape of all axes but the first."""
        shape = self._constant(f"{output}/shape", np.array((0, *shape), np.int64))
        self._node("Reshape", [name, shape], output)

    def _integers(self, name, quantized):
        """Names of an activation as uint8, its scale and its zero point."""
        if name in quantized:
            return [f"{name}/{part}" for part in ("quantized", "scale", "zero_point")]
        parts = [
            f"{name}/dynamic",
            f"{name}/dynamic_scale",
            f"{name}/dynamic_zero_point",
        ]
        if not any(parts[0] in node.output for node in self.nodes):
            self.nodes.append(
                helper.make_node("DynamicQuantizeLinear", [name], parts, name=parts[0])
            )
        return parts

    def _round(self, name):
        """Weights as int8 in their own layout, and one scale per output."""
        array = self._array(name)
        rows, scales = self._round_rows(name)
        steps = rows.reshape(_outputs_first(array).shape)
        return steps.transpose(0, 3, 1, 2) if array.ndim == 4 else steps.T, scales

    def _round_rows(self, name):
        """Weights as int8 (out, K), channels last, and one scale per output."""
        weights = _outputs_first(self._array(name))
        steps, scales = nearest(weights.reshape(len(weights), -1))
        return self.rounded.get(name, steps), scales

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
