"""How the nodes of an ONNX graph hang together."""

from collections import defaultdict

import numpy as np
from onnx import numpy_helper


class Links:
    """Who makes and who reads each tensor of a graph, and what the scalars are."""

    def __init__(self, graph):
        """Index a ``GraphProto``; later changes of it are not seen."""
        self.makers = {output: node for node in graph.node for output in node.output}
        self.readers = defaultdict(list)
        for node in graph.node:
            for name in node.input:
                self.readers[name].append(node)
        self.constants = {tensor.name: tensor for tensor in graph.initializer}

    def maker(self, name, *kinds):
        """The node that makes a tensor if it is of one of the kinds, else None."""
        node = self.makers.get(name)
        return node if node is not None and node.op_type in kinds else None

    def reader(self, name, *kinds):
        """The only node that reads a tensor if it is of one of the kinds, else None."""
        nodes = self.readers[name]
        return nodes[0] if len(nodes) == 1 and nodes[0].op_type in kinds else None

    def split(self, node):
        """(tensor, scalar) of a node of two inputs, the scalar NaN if neither is one.

        The tensor is the input that is not constant, or the first.
        """
        for tensor, other in (node.input, tuple(node.input)[::-1]):
            constant = self.constants.get(other)
            if constant is not None and np.prod(constant.dims, initial=1) == 1:
                return tensor, float(numpy_helper.to_array(constant).item())
        return node.input[0], np.nan


def drop_unused(graph):
    """Remove nodes and initializers that no output depends on."""
    needed = {output.name for output in graph.output}
    kept = []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            kept.append(node)
    initializers = [tensor for tensor in graph.initializer if tensor.name in needed]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(reversed(kept))
    graph.initializer.extend(initializers)
