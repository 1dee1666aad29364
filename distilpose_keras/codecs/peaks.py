"""Where the largest value is, with operators that every exported format has."""

import numpy as np
from keras import ops


def graph_argmax(values):
    """Return the position of the first maximum along the last axis.

    Keras' argmax needs operators on bits, which neither TFLite nor ONNX has built in.

    Args:
        values: (..., N).

    Returns:
        positions (...) float32 and maxima (..., 1).
    """
    count = values.shape[-1]
    maxima = ops.max(values, axis=-1, keepdims=True)
    positions = np.arange(count, dtype="float32")
    first = ops.min(ops.where(values >= maxima, positions, np.float32(count)), axis=-1)
    return first, maxima
