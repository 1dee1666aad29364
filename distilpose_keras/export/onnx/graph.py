"""Rewrites of the ONNX graphs that tf2onnx makes of deployed students.

Each finds a pattern by what it computes and replaces it by equal operations that
runtimes recognise or compute faster.
"""

import numpy as np
import onnx
from onnx import helper, numpy_helper

from distilpose_keras.export.onnx.links import Links, drop_unused
from distilpose_keras.export.onnx.tokens import join_by_padding, put_tokens_first

BATCH = "batch"
# How tf2onnx writes a mean over the last axis of tokens (B, N, D).
MEANS = ("GlobalAveragePool", "ReduceMean")


def tidy(proto):
    """Rewrite a deployed student's graph for runtimes and readers.

    Args:
        proto: ``ModelProto``, opset 17 or newer; changed in place.
    """
    fuse_layer_norms(proto)
    spell_gelus(proto)
    widen_mean(proto)
    join_by_padding(proto)
    put_tokens_first(proto)
    drop_unused(proto.graph)
    used = {node.domain for node in proto.graph.node}
    kept = [opset for opset in proto.opset_import if opset.domain in used]
    del proto.opset_import[:]
    proto.opset_import.extend(kept)
    for value in (*proto.graph.input, *proto.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = BATCH


def fuse_layer_norms(proto):
    """Replace each layer-norm that was taken apart by one LayerNormalization node.

    A deployed student normalises tokens whose channel mean is zero, by
    x / sqrt(mean(x^2) + epsilon). On these, and only on these, LayerNormalization
    without scale and offset computes the same.

    Args:
        proto: ``ModelProto`` of a deployed student; changed in place.
    """
    shapes = {
        value.name: value.type.tensor_type.shape.dim
        for value in onnx.shape_inference.infer_shapes(proto).graph.value_info
    }
    graph = proto.graph
    links = Links(graph)
    for node in graph.node:
        found = _match_norm(links, node) if node.op_type == "Mul" else None
        if found is None:
            continue
        x, epsilon = found
        scale = f"{node.output[0]}/scale"
        ones = np.ones(shapes[node.output[0]][-1].dim_value, np.float32)
        graph.initializer.append(numpy_helper.from_array(ones, scale))
        _become(
            node,
            helper.make_node(
                "LayerNormalization",
                [x, scale],
                node.output,
                name=node.name,
                axis=-1,
                epsilon=epsilon,
            ),
        )
    drop_unused(graph)


def _match_norm(links, product):
    """(x, epsilon) if the node is x * reciprocal(sqrt(mean(x * x) + epsilon))."""
    for x, factor in (product.input, tuple(product.input)[::-1]):
        root = links.maker(factor, "Reciprocal")
        total = root and links.maker(root.input[0], "Sqrt")
        added = total and links.maker(total.input[0], "Add")
        if not added:
            continue
        mean, epsilon = links.split(added)
        mean = links.maker(mean, *MEANS)
        square = mean and links.maker(mean.input[0], "Mul")
        if square and list(square.input) == [x, x]:
            return x, epsilon
    return None


def spell_gelus(proto):
    """Write each exact GELU as x / sqrt(2) -> erf -> + 1 -> * x -> * 0.5.

    Runtimes that fuse a GELU look for these operations in this order.

    Args:
        proto: ``ModelProto``; changed in place.
    """
    graph = proto.graph
    links = Links(graph)
    constants = {}
    for name, value in (("sqrt2", np.sqrt(2)), ("one", 1), ("half", 0.5)):
        tensor = numpy_helper.from_array(np.float32(value), f"gelu/{name}")
        graph.initializer.append(tensor)
        constants[name] = tensor.name
    spelled = {}
    for node in graph.node:
        x = _match_gelu(links, node)
        if x is None:
            continue
        end = node.output[0]
        steps = (
            ("Div", [x, constants["sqrt2"]], f"{end}/scaled"),
            ("Erf", [f"{end}/scaled"], f"{end}/erf"),
            ("Add", [f"{end}/erf", constants["one"]], f"{end}/shifted"),
            ("Mul", [x, f"{end}/shifted"], f"{end}/doubled"),
            ("Mul", [f"{end}/doubled", constants["half"]], end),
        )
        spelled[end] = [
            helper.make_node(kind, inputs, [output], name=f"{output}/node")
            for kind, inputs, output in steps
        ]
    nodes = [new for node in graph.node for new in spelled.get(node.output[0], [node])]
    del graph.node[:]
    graph.node.extend(nodes)
    drop_unused(graph)


def _match_gelu(links, product):
    """x if the node is (x * 0.5) * (1 + erf(x * sqrt(0.5))), else None."""
    if product.op_type != "Mul":
        return None
    for half, shifted in (product.input, tuple(product.input)[::-1]):
        half, added = links.maker(half, "Mul"), links.maker(shifted, "Add")
        erf = added and links.maker(links.split(added)[0], "Erf")
        scaled = erf and links.maker(erf.input[0], "Mul")
        if not (half and scaled):
            continue
        (x, a), (y, b), (_, c) = map(links.split, (half, scaled, added))
        if x == y and np.allclose([a, b, c], [0.5, np.sqrt(0.5), 1]):
            return x
    return None


def widen_mean(proto):
    """Repeat the mean that is subtracted from the image along a row of pixels.

    Runtimes subtract a row of W x 3 values from each row of the image many times
    faster than 3 values from each pixel.

    Args:
        proto: ``ModelProto`` whose input image is channels-last; changed in place.
    """
    graph = proto.graph
    links = Links(graph)
    image = graph.input[0]
    subtract = links.reader(image.name, "Sub")
    if subtract is not None:
        width = image.type.tensor_type.shape.dim[2].dim_value
        mean = numpy_helper.to_array(links.constants[subtract.input[1]])
        row = np.tile(mean.reshape(1, -1), (width, 1))
        graph.initializer.append(numpy_helper.from_array(row, f"{image.name}/mean"))
        subtract.input[1] = f"{image.name}/mean"


def _become(node, other):
    other.name = node.name
    node.CopyFrom(other)
