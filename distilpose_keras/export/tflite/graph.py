"""TFLite graphs: their operators, layers and activations."""

import numpy as np

from distilpose_keras.export.precision import Operator
from distilpose_keras.export.statistics import WeightedLayer
from distilpose_keras.formats.tflite_file import pack_model, read_model


def operators(content):
    """List the operators of a TFLite graph, in the order they run."""
    model = read_model(content)
    tensors = model.subgraphs[0].tensors
    return [
        Operator(
            name=tensors[op.outputs[0]].name.decode(),
            kind=kind,
            rank=_rank(tensors[op.outputs[0]]),
            weighted=len(op.inputs) > 1
            and model.buffers[tensors[op.inputs[1]].buffer].data is not None,
        )
        for op, kind in zip(model.subgraphs[0].operators, kinds(model), strict=True)
    ]


def kinds(model):
    """TFLite's name of the operation of each operator."""
    from ai_edge_litert import schema_py_generated as schema

    names = {v: k for k, v in vars(schema.BuiltinOperator).items() if k[0] != "_"}
    codes = [max(c.builtinCode, c.deprecatedBuiltinCode) for c in model.operatorCodes]
    return [names[codes[op.opcodeIndex]] for op in model.subgraphs[0].operators]


def _rank(tensor):
    return 0 if tensor.shape is None else len(tensor.shape)


def ranks(content):
    """Axes of each tensor, by name."""
    tensors = read_model(content).subgraphs[0].tensors
    return {tensor.name.decode(): _rank(tensor) for tensor in tensors}


def constant(model, index):
    """The values of a constant tensor, or None if it is computed."""
    from ai_edge_litert import schema_py_generated as schema

    tensor = model.subgraphs[0].tensors[index]
    data = model.buffers[tensor.buffer].data
    if data is None:
        return None
    types = {schema.TensorType.FLOAT32: np.float32, schema.TensorType.INT32: np.int32}
    return np.frombuffer(bytes(data), types[tensor.type]).reshape(tensor.shape)


def squares_as_products(content):
    """Write x^2 as x * x in a TFLite file: the quantizer knows no SQUARE."""
    from ai_edge_litert import schema_py_generated as schema

    model = read_model(content)
    pairs = list(zip(model.subgraphs[0].operators, kinds(model), strict=True))
    for op, kind in pairs:
        if kind == "SQUARE":
            op.opcodeIndex = next(o.opcodeIndex for o, k in pairs if k == "MUL")
            op.inputs = np.repeat(op.inputs[:1], 2)
            op.builtinOptionsType = schema.BuiltinOptions.MulOptions
            op.builtinOptions = schema.MulOptionsT()
    return pack_model(model)


def weighted_layers(content):
    """The convolutions and linear maps of a float32 graph.

    Returns:
        dict of `WeightedLayer` to its weights (out, K), K in the order of its rows.
    """
    model = read_model(content)
    tensors = model.subgraphs[0].tensors
    found = {}
    for op, kind in zip(model.subgraphs[0].operators, kinds(model), strict=True):
        if kind not in ("CONV_2D", "FULLY_CONNECTED"):
            continue
        weights = constant(model, op.inputs[1])
        source = tensors[op.inputs[0]]
        window = None
        if kind == "CONV_2D":
            window = _window(op.builtinOptions, weights.shape[1:3], source.shape[1:3])
        layer = WeightedLayer(
            weights=tensors[op.inputs[1]].name.decode(),
            source=source.name.decode(),
            window=window,
        )
        found[layer] = weights.reshape(len(weights), -1)
    return found


def _window(options, kernel_size, size):
    """Kernel size, strides and padding of a convolution."""
    strides = (options.strideH, options.strideW)
    padding = []
    for extent, kernel, stride in zip(size, kernel_size, strides, strict=True):
        # TensorFlow's "same" padding (0); "valid" (1) has none.
        needed = max((-(-extent // stride) - 1) * stride + kernel - extent, 0)
        needed = 0 if options.padding else int(needed)
        padding += [needed // 2, needed - needed // 2]
    return tuple(map(int, kernel_size)), strides, tuple(padding)


def open_with_all_outputs(content):
    """Open a graph so that it returns every activation.

    The interpreter's own way to keep them switches off its fast kernels.

    Args:
        content: bytes of a float32 ``.tflite`` file with one input.

    Returns:
        function of a crop (1, H, W, 3) float32 that returns a dict of tensor name to
        value, for the input and every operator's output.
    """
    from ai_edge_litert.interpreter import Interpreter

    model = read_model(content)
    graph = model.subgraphs[0]
    computed = {int(index) for op in graph.operators for index in op.outputs}
    graph.outputs = np.array(sorted({*map(int, graph.inputs), *computed}), np.int32)
    model.signatureDefs = []
    interpreter = Interpreter(model_content=pack_model(model))
    interpreter.allocate_tensors()
    image = interpreter.get_input_details()[0]["index"]
    outputs = {d["name"]: d["index"] for d in interpreter.get_output_details()}

    def run(crop):
        interpreter.set_tensor(image, crop)
        interpreter.invoke()
        return {name: interpreter.get_tensor(index) for name, index in outputs.items()}

    return run
