"""Opens exported files, ours or not, to be run on the same input again and again."""

import numpy as np

from distilpose_keras.formats.metadata import read_metadata

ONNX_NUMBERS = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(uint8)": np.uint8,
    "tensor(int8)": np.int8,
    "tensor(int32)": np.int32,
}


def open_call(file, *, threads=1, batch=1):
    """Open a file, ours or not, and return a function that runs it on the same input.

    Args:
        file: ``.tflite`` or ``.onnx``.
        threads: of the runtime.
        batch: crops at once, of `takes_batches` files.

    Raises:
        ValueError: if the model does not take one tensor of a fixed size.
    """
    opener = _open_onnx if file.endswith(".onnx") else _open_tflite
    return opener(file, threads, batch)


def takes_batches(file):
    """Whether a file takes any number of crops at once."""
    if not file.endswith(".onnx"):
        return False
    (_, shape, _) = _onnx_input(_onnx_session(file, 1), file)
    return not isinstance(shape[0], int)


def precision_of(file):
    """Return the precision that a file of ours names, or "" of any other file."""
    try:
        return read_metadata(file)["precision"]
    except ValueError:
        return ""


def _open_tflite(file, threads, batch):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(file, num_threads=threads)
    interpreter.allocate_tensors()
    inputs = interpreter.get_input_details()
    _check_inputs(file, [tuple(image["shape"]) for image in inputs])
    image = inputs[0]
    values = _pixels(image["shape"])
    if image["dtype"] == np.int8:
        values = values - 128
    interpreter.set_tensor(image["index"], values.astype(image["dtype"]))
    return interpreter.invoke


def _open_onnx(file, threads, batch):
    session = _onnx_session(file, threads)
    name, shape, kind = _onnx_input(session, file)
    sides = [batch if not isinstance(shape[0], int) else shape[0], *shape[1:]]
    feed = {name: _pixels(sides).astype(ONNX_NUMBERS[kind])}
    return lambda: session.run(None, feed)


def _onnx_session(file, threads):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(
        file, options, providers=["CPUExecutionProvider"]
    )


def _onnx_input(session, file):
    """Name, shape and type of the one input; the first side may be any."""
    inputs = session.get_inputs()
    _check_inputs(file, [tuple(image.shape[1:]) for image in inputs])
    if inputs[0].type not in ONNX_NUMBERS:
        raise ValueError(f"{file}: expected an input of numbers, not {inputs[0].type}")
    return inputs[0].name, inputs[0].shape, inputs[0].type


def _check_inputs(file, shapes):
    """Raise unless there is one input of a fixed size."""
    if len(shapes) != 1 or not all(isinstance(s, int | np.integer) for s in shapes[0]):
        raise ValueError(
            f"{file}: expected a model that takes one picture of a fixed size. "
            f"Received: {', '.join(map(str, shapes))}"
        )


def _pixels(shape):
    """Values of 0 to 255 in an array of a shape."""
    return np.random.default_rng(0).integers(0, 256, tuple(map(int, shape)))
