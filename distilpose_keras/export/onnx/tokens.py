"""The token layout that ONNX Runtime multiplies in place.

Attention splits tokens (B, N, D) into heads (B, H, N, d), and ONNX Runtime copies all
of them to do so. Of tokens stored as (N, B, D) it reads the heads where they lie: a
transposition that only moves the first axis becomes part of its matrix product.
"""

import numpy as np
from onnx import NodeProto, helper, numpy_helper

from distilpose_keras.export.onnx.links import Links, drop_unused

# Layouts that tensors can have behind the patches.
TOKENS = "(N, B, C), (N, B, H, d) or rows (N * B, C)"
HEADS = "(B, H, N, d)"
# Operations that treat all tokens alike, or all heads.
POINTWISE = frozenset(
    {"Add", "Div", "Erf", "LayerNormalization", "MatMul", "Mul", "Sigmoid", "Softmax"}
)


def join_by_padding(proto):
    """Put the constant tokens before the others by padding and one addition.

    Args:
        proto: ``ModelProto`` in which constant tokens (1, K, D), expanded to the batch,
            are joined to x (B, P, D) + positions (P, D); changed in place.
    """
    graph = proto.graph
    links = Links(graph)
    for node in list(graph.node):
        expanded = node.op_type == "Concat" and links.maker(node.input[0], "Expand")
        added = expanded and links.maker(node.input[1], "Add")
        if not added or not {expanded.input[0], added.input[1]} <= set(links.constants):
            continue
        first, positions = (
            numpy_helper.to_array(links.constants[name])
            for name in (expanded.input[0], added.input[1])
        )
        end = node.output[0]
        constants = {
            f"{end}/pads": np.array([0, first.shape[1], 0, 0, 0, 0], np.int64),
            f"{end}/table": np.concatenate([first[0], positions]),
        }
        graph.initializer.extend(
            numpy_helper.from_array(value, name) for name, value in constants.items()
        )
        pads, table = constants
        padded = f"{end}/padded"
        at = list(graph.node).index(node)
        graph.node.insert(
            at, helper.make_node("Pad", [added.input[0], pads], [padded], name=padded)
        )
        node.CopyFrom(helper.make_node("Add", [padded, table], [end], name=node.name))
    drop_unused(graph)


def put_tokens_first(proto):
    """Store tokens as (N, B, D) from the padding of `join_by_padding` on.

    Args:
        proto: ``ModelProto``; changed in place. A graph without such tokens, or with
            operations on them that are not known here, is left as it is.
    """
    rewriter = _Rewriter(proto.graph)
    if rewriter.rewrite():
        del proto.graph.node[:]
        proto.graph.node.extend(rewriter.nodes)
        proto.graph.initializer.extend(rewriter.constants.values())
        drop_unused(proto.graph)


class _Rewriter:
    """Writes the nodes of one graph anew."""

    def __init__(self, graph):
        self.graph = graph
        self.links = Links(graph)
        self.layouts = {}
        self.nodes = []
        self.constants = {}

    def rewrite(self):
        """Return whether there was something to do and all of it was understood."""
        for node in self.graph.node:
            new = NodeProto()
            new.CopyFrom(node)
            if self._starts(new):
                self._enter(new)
            found = [self.layouts[name] for name in new.input if name in self.layouts]
            self.nodes.append(new)
            if found and not self._write(new, found[0]):
                return False
        for output in self.graph.output:
            self._leave(output.name)
        return bool(self.layouts)

    def _starts(self, node):
        """Whether a node pads tokens, not a feature map."""
        pads = self.links.constants.get(node.input[1]) if len(node.input) > 1 else None
        return node.op_type == "Pad" and pads is not None and list(pads.dims) == [6]

    def _enter(self, pad):
        """Transpose the tokens that are padded."""
        first = f"{pad.input[0]}/first"
        self.nodes.append(_transpose(pad.input[0], first))
        self.layouts[first] = TOKENS
        pad.input[0] = first

    def _leave(self, name):
        """Transpose an output back."""
        if name in self.layouts:
            maker = next(node for node in self.nodes if name in node.output)
            first = f"{name}/first"
            maker.output[list(maker.output).index(name)] = first
            self.nodes.append(_transpose(first, name))

    def _write(self, node, layout):
        """Adapt a node to the layout of its input; return whether that was possible."""
        if node.op_type in POINTWISE:
            self._broadcast(node)
        elif node.op_type == "Transpose" and len(_perm(node)) == 4:
            layout = self._split_or_merge(node, layout)
        elif layout == TOKENS and node.op_type in ("Reshape", "Pad"):
            self._replace(node, 1, _swap)
        elif layout == TOKENS and node.op_type == "Slice":
            self._replace(node, 3, lambda axes: np.where(axes < 2, 1 - axes, axes))
        else:
            return False
        self.layouts[node.output[0]] = layout
        return True

    def _broadcast(self, node):
        """Let constants (N, D) of tokens act on (N, B, D)."""
        for i, name in enumerate(node.input):
            constant = self.links.constants.get(name)
            if constant and len(constant.dims) == 2 and node.op_type != "MatMul":
                self._replace(node, i, lambda value: value[:, None])

    def _split_or_merge(self, node, layout):
        """Adapt the transposition between tokens (N, B, H, d) and heads."""
        perm = _perm(node)
        if layout == TOKENS:
            perm = [(1, 0, 2, 3)[axis] for axis in perm]
            layout = HEADS
        elif perm[0] == 0 and perm[1] == 2:
            perm[:2] = perm[1], perm[0]
            layout = TOKENS
        node.attribute[0].CopyFrom(helper.make_attribute("perm", perm))
        return layout

    def _replace(self, node, index, change):
        """Give a node the changed form of a constant, which others may share."""
        source = node.input[index]
        name = f"{source}/first"
        if name not in self.constants:
            value = numpy_helper.to_array(self.links.constants[source])
            changed = np.ascontiguousarray(change(value))
            self.constants[name] = numpy_helper.from_array(changed, name)
        node.input[index] = name


def _perm(node):
    return list(helper.get_attribute_value(node.attribute[0]))


def _swap(value):
    """Exchange what is said of the first two axes; rows have one for both."""
    value = value.copy()
    if len(value) > 2:
        value[[0, 1]] = value[[1, 0]]
    return value


def _transpose(source, target):
    return helper.make_node(
        "Transpose", [source], [target], name=f"{target}/node", perm=[1, 0, 2]
    )
