"""What ONNX graphs are made of, and in which precision each operator is computed.

`distilpose_keras.export.onnx.quantize` writes the graph that is chosen here.
"""

import onnx
from onnx import helper, numpy_helper

from distilpose_keras.export.onnx.links import Links
from distilpose_keras.export.precision import DYNAMIC, FLOAT, INT8, Operator
from distilpose_keras.export.statistics import WeightedLayer

# Operators on feature maps that ONNX Runtime computes in int8.
FEATURE_MAP_OPERATORS = frozenset({"Conv", "Add", "MaxPool", "Resize"})
# ReLU and ReLU6, which the operator before them computes.
CLIPPING = frozenset({"Relu", "Clip"})
# Integer kernels work on so many channels at a time: for fewer they gain nothing.
CHANNELS_AT_A_TIME = 8


def operators(proto):
    """List the operators of an ONNX graph, in the order they run."""
    inferred = onnx.shape_inference.infer_shapes(proto).graph
    ranks = {
        value.name: len(value.type.tensor_type.shape.dim)
        for value in (*inferred.value_info, *inferred.output)
    }
    constants = {tensor.name: tensor.dims for tensor in proto.graph.initializer}
    found = []
    for node in proto.graph.node:
        weighted = len(node.input) > 1 and node.input[1] in constants
        # A product with one matrix for each head is no linear map.
        if weighted and node.op_type == "MatMul":
            weighted = len(constants[node.input[1]]) == 2
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
    channels gain nothing; so does what decodes.

    A convolution of each channel for itself is int8 as well. In float32 between two
    integer maps it would not stay it: ONNX Runtime rounds its weights by itself
    (`WeightBiasQuantization`), all channels by one scale.
    """
    links, sizes = Links(proto.graph), map_sizes(proto)
    chosen = {}
    for node, operator in zip(proto.graph.node, operators(proto), strict=True):
        chosen[operator] = FLOAT
        if operator.decodes:
            continue
        if operator.kind in ("Conv", "MatMul") and operator.weighted:
            # Channels of (out, channels, h, w) and of (K, channels).
            channels = links.constants[operator.origin].dims[1]
            alone = _attributes(node).get("group", 1) != 1
            if channels < CHANNELS_AT_A_TIME and not alone:
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
        attributes.get("strides") == window != [1, 1]
        and all(n > 0 and n % step == 0 for n, step in zip(size, window, strict=True))
        and not any(attributes.get("pads", ()))
        and {*attributes.get("dilations", ()), attributes.get("group", 1)} == {1}
        and not any(
            reader.op_type in FEATURE_MAP_OPERATORS | CLIPPING
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
        if operator.decodes or _attributes(node).get("group", 1) != 1:
            continue
        weights = outputs_first(numpy_helper.to_array(constants[node.input[1]]))
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


def outputs_first(weights):
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
    kinds = FEATURE_MAP_OPERATORS | CLIPPING
    found = {}
    for node, operator in zip(proto.graph.node, operators(proto), strict=True):
        if operator.kind in kinds and operator.rank == 4:
            found |= dict.fromkeys((*node.input, *node.output))
    return [name for name in found if name and name not in constants]


def map_sizes(proto):
    """(height, width) of the feature maps by name."""
    inferred = onnx.shape_inference.infer_shapes(proto).graph
    shapes = {
        value.name: [axis.dim_value for axis in value.type.tensor_type.shape.dim]
        for value in (*inferred.input, *inferred.value_info)
    }
    return {name: shape[2:] for name, shape in shapes.items() if len(shape) == 4}
