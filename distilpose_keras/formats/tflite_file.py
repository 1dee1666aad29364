"""Metadata inside TFLite files: FlatBuffer entries and the files zipped behind them.

A ``.tflite`` file is a FlatBuffer; its ``metadata`` list names buffers with free
content. Two are written: ``distilpose`` (the JSON document of
`distilpose_keras.formats.metadata`) and ``TFLITE_METADATA``, the description that the
TensorFlow Lite metadata library, Android Studio and Netron show. The keypoint names
are an associated file: a zip archive appended to the FlatBuffer.
"""

import io
import json
import struct
import zipfile

import numpy as np

from distilpose_keras.formats.names import ENTRY
from distilpose_keras.formats.tflite_description import LABELS, encode_description

_IDENTIFIER = b"TFL3"
# TensorFlow Lite's schema asks for it (force_align); kernels read weights in place.
_ALIGNMENT = 16


def read_model(content):
    """Parse a whole ``.tflite`` file.

    Args:
        content: the bytes of the file.

    Returns:
        The `ModelT` object of TensorFlow Lite's FlatBuffer schema.

    Raises:
        ValueError: if the bytes are not a TFLite file or end too early.
    """
    from ai_edge_litert import schema_py_generated as schema

    if content[4:8] != _IDENTIFIER:
        raise ValueError("not a TFLite file")
    try:
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    # What a wrong offset makes the classes of the schema raise.
    except (
        *(struct.error, IndexError, ValueError, TypeError, MemoryError),
        *(AttributeError, OverflowError, RecursionError),
    ):
        raise ValueError("truncated TFLite file") from None
    if model.buffers is None:
        raise ValueError("a TFLite file without buffers")
    for buffer in model.buffers:
        if buffer.offset > 1:  # data behind the FlatBuffer, as quantizers write it
            data = np.frombuffer(content, np.uint8)[buffer.offset :][: buffer.size]
            buffer.data, buffer.offset, buffer.size = data, 0, 0
    return model


def read_entry(content, name):
    """Return the text of a metadata entry, or None if the file has none of that name.

    Args:
        content: the bytes of the file.
        name: the entry's name.

    Raises:
        ValueError: if the bytes are not a TFLite file or end too early.
    """
    model = read_model(content)
    for entry in model.metadata or []:
        if entry.name == name.encode():
            # The archive behind the model is the end of the file.
            if not zipfile.is_zipfile(io.BytesIO(content)):
                raise ValueError("truncated TFLite file")
            if not 0 <= entry.buffer < len(model.buffers):
                raise ValueError("a TFLite file with an entry without content")
            data = model.buffers[entry.buffer].data
            return "" if data is None else bytes(data).decode()
    return None


def embed(content, document):
    """Return the file with our metadata embedded.

    Args:
        content: bytes of a ``.tflite`` file without these entries.
        document: the dict of `distilpose_keras.formats.metadata.describe`.

    Returns:
        bytes of the new file; weights stay aligned to 16 bytes.
    """
    description = encode_description(document, **_names(read_model(content)))
    return attach(
        content,
        entries={ENTRY: json.dumps(document).encode(), "TFLITE_METADATA": description},
        files={LABELS: "".join(f"{name}\n" for name in document["schema"]["names"])},
    )


def name_inputs_and_outputs(content):
    """Give a file's tensors the names of its signature, outputs in their order.

    Many runtimes know neither signatures nor a converter's names and go by order.
    """
    model = read_model(content)
    graph, signature = model.subgraphs[0], model.signatureDefs[0]
    for tensor in (*signature.inputs, *signature.outputs):
        graph.tensors[tensor.tensorIndex].name = tensor.name
    signature.outputs.sort(key=lambda tensor: tensor.name)
    graph.outputs = np.array([t.tensorIndex for t in signature.outputs], np.int32)
    return pack_model(model)


def attach(content, *, entries, files):
    """Return the file with metadata entries inside and files zipped behind it.

    Args:
        content: bytes of a ``.tflite`` file.
        entries: dict of an entry's name to its bytes.
        files: dict of a file's name to its text.
    """
    model = read_model(content)
    for name, data in entries.items():
        _append_entry(model, name, data)
    return _append_zip(pack_model(model), files)


def _names(model):
    """Signature names of the inputs and outputs, in the order of the graph's."""
    graph, signature = model.subgraphs[0], model.signatureDefs[0]
    named = {t.tensorIndex: t.name.decode() for t in signature.inputs}
    named |= {t.tensorIndex: t.name.decode() for t in signature.outputs}
    return {
        "inputs": [named[index] for index in graph.inputs],
        "outputs": [named[index] for index in graph.outputs],
    }


def _append_entry(model, name, data):
    from ai_edge_litert import schema_py_generated as schema

    buffer = schema.BufferT()
    buffer.data = np.frombuffer(data, np.uint8)
    model.buffers.append(buffer)
    entry = schema.MetadataT()
    entry.name = name
    entry.buffer = len(model.buffers) - 1
    model.metadata = [*(model.metadata or []), entry]


def pack_model(model):
    """Serialise a `ModelT` to the bytes of a ``.tflite`` file, weights aligned."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    class AlignedBuffer(schema.BufferT):
        def Pack(self, builder):  # noqa: N802
            vector = None
            if self.data is not None:
                data = np.asarray(self.data, np.uint8).tobytes()
                builder.StartVector(1, len(data), _ALIGNMENT)
                builder.head -= len(data)
                builder.Bytes[builder.head : builder.head + len(data)] = data
                vector = builder.EndVector()
            schema.BufferStart(builder)
            if vector is not None:
                schema.BufferAddData(builder, vector)
            return schema.BufferEnd(builder)

    model.buffers = [AlignedBuffer(data=buffer.data) for buffer in model.buffers]
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), file_identifier=_IDENTIFIER)
    return bytes(builder.Output())


def _append_zip(content, files):
    stream = io.BytesIO(content)
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_STORED) as archive:
        for name, text in files.items():
            # A fixed date: the same model gives the same bytes.
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), text)
    return stream.getvalue()
