"""Weights of ONNX files in half the space."""

import numpy as np

SMALL = 64  # numbers that stay float32: biases, which float16 does not make smaller


def store_half(graph):
    """Store weights as float16, each cast to float32 where it is used.

    ONNX Runtime casts them once, when it opens the file, and computes in float32.

    Args:
        graph: ``GraphProto``; changed in place.
    """
    from onnx import TensorProto, helper, numpy_helper

    stored, casts = [], []
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size <= SMALL:
            stored.append(tensor)
            continue
        half = f"{tensor.name}/half"
        stored.append(numpy_helper.from_array(values.astype(np.float16), half))
        casts.append(
            helper.make_node("Cast", [half], [tensor.name], to=TensorProto.FLOAT)
        )
    nodes = [*casts, *graph.node]
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(stored)
    graph.node.extend(nodes)
