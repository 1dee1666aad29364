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

from distilpose_keras.export.onnx.links import Links, drop_unused
from distilpose_keras.export.onnx.plan import CLIPPING, map_sizes, outputs_first
from distilpose_keras.export.precision import DYNAMIC, FLOAT, INT8
from distilpose_keras.export.rounding import nearest

# Their output has the scale of their input.
SAME_SCALE = frozenset({"MaxPool", "Resize"})


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
    _Writer(result.graph, map_sizes(proto), chosen, ranges, rounded).write()
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
        if node.op_type in CLIPPING:
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
        return {name for name in found if not self.links.reader(name, *CLIPPING)}

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
        end = conv.output[0]  # several convolutions may read the same maps
        last, cut, patches, rows = (
            f"{end}/{part}" for part in ("channels_last", "cut", "patches", "rows")
        )
        self._node("Transpose", [name], last, perm=(0, 2, 3, 1))
        self._reshape(last, cut, (grid[0], h, grid[1], w * channels))
        self._node("Transpose", [cut], patches, perm=(0, 1, 3, 2, 4))
        self._reshape(patches, rows, (grid[0] * grid[1], h * w * channels))
        return rows, grid

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
        steps = rows.reshape(outputs_first(array).shape)
        return steps.transpose(0, 3, 1, 2) if array.ndim == 4 else steps.T, scales

    def _round_rows(self, name):
        """Weights as int8 (out, K), channels last, and one scale per output."""
        array = self._array(name)
        rows = outputs_first(array)
        # A convolution of single channels multiplies one by one, not in pairs.
        in_pairs = array.ndim == 2 or array.shape[1] > 1
        steps, scales = nearest(rows.reshape(len(rows), -1), in_pairs=in_pairs)
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
