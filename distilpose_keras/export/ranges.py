"""Ranges of the activations of a TFLite graph over calibration crops."""

import numpy as np

from distilpose_keras.export.tflite_file import pack_model, read_model


def activation_ranges(content, crops, *, progress=None):
    """Run a float32 TFLite graph on crops and record what its tensors hold.

    The range of a tensor is the mean over crops of its smallest and its largest
    value: one odd crop does not stretch it.

    Args:
        content: bytes of a float32 ``.tflite`` file with one input, batch 1.
        crops: (N, H, W, 3) uint8 RGB.
        progress: None, or a function called after each crop.

    Returns:
        dict of tensor name to (low, high), for the input and every operator's output.
    """
    interpreter, outputs = _open_with_all_outputs(content)
    image = interpreter.get_input_details()[0]["index"]
    total = np.zeros((len(outputs), 2))
    for crop in crops:
        interpreter.set_tensor(image, crop[None].astype(np.float32))
        interpreter.invoke()
        values = (interpreter.get_tensor(index) for index in outputs)
        total += [(value.min(), value.max()) for value in values]
        if progress is not None:
            progress()
    low_high = total / len(crops)
    return dict(zip(outputs.values(), map(tuple, low_high), strict=True))


def _open_with_all_outputs(content):
    """Interpreter of the graph with every activation among its outputs.

    The interpreter's own way to keep them switches off its fast kernels.
    """
    from ai_edge_litert.interpreter import Interpreter

    model = read_model(content)
    graph = model.subgraphs[0]
    computed = {int(index) for op in graph.operators for index in op.outputs}
    names = {
        graph.tensors[index].name.decode()
        for index in sorted({*graph.inputs, *computed})
    }
    graph.outputs = np.array(sorted({*graph.inputs, *computed}), np.int32)
    model.signatureDefs = []
    interpreter = Interpreter(model_content=pack_model(model))
    interpreter.allocate_tensors()
    details = interpreter.get_output_details()
    return interpreter, {d["index"]: d["name"] for d in details if d["name"] in names}
