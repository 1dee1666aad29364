"""The ``TFLITE_METADATA`` entry: what TensorFlow Lite's own tools show of a model.

Written from the published schema (``metadata_schema.fbs`` of TensorFlow Lite Support,
file identifier ``M001``); slot numbers below are the field numbers of its tables.
"""

from dataclasses import dataclass

import flatbuffers

LABELS = "keypoints.txt"
PARSER_VERSION = b"M001"

# ModelMetadata: name, description, version, subgraphs, author, license, -, parser
# SubGraphMetadata: name, description, inputs, outputs
# TensorMetadata: name, description, dimension names, content, -, stats, files
# Content: type of its union, value of its union
_IMAGE_PROPERTIES, _FEATURE_PROPERTIES = 2, 1
_RGB = 1
_TENSOR_AXIS_LABELS = 2


@dataclass(frozen=True)
class _Number:
    """A scalar field: the builder method that writes it, and its value."""

    method: str
    value: int


def _byte(value):
    return _Number("PrependInt8Slot", value)


def _unsigned(value):
    return _Number("PrependUint32Slot", value)


def encode_description(document, *, inputs, outputs):
    """Encode the model's description as a ``ModelMetadata`` FlatBuffer.

    Args:
        document: the dict of `distilpose_keras.formats.metadata.describe`.
        inputs: names of the graph's inputs, in order.
        outputs: names of the graph's outputs, in order.

    Returns:
        bytes of the FlatBuffer.
    """
    ap = "not measured" if document["ap"] is None else f"{document['ap']:.4f}"
    root = {
        0: document["model"],
        1: (
            "Human keypoints of one person's crop (DistilPose, CVPR 2023). "
            f"Precision: {document['precision']}. "
            f"Trained on: {document['training_data'] or 'unknown'}. AP: {ap}."
        ),
        2: document["version"],
        3: [
            {
                2: [_image(name, document) for name in inputs],
                3: [_output(name, document) for name in outputs],
            }
        ],
        4: "distilpose-keras",
        7: "1.0.0",
    }
    builder = flatbuffers.Builder(1024)
    builder.Finish(_table(builder, root), file_identifier=PARSER_VERSION)
    return bytes(builder.Output())


def _image(name, document):
    height, width = document["input_size"]
    low, high = document["value_range"]
    size = {0: _unsigned(width), 1: _unsigned(height)}
    return {
        0: name,
        1: f"RGB crop of one person, values {low} to {high}",
        2: ["batch", "height", "width", "channel"],
        3: {0: _byte(_IMAGE_PROPERTIES), 1: {0: _byte(_RGB), 1: size}},
        5: {0: [float(high)], 1: [float(low)]},
    }


def _output(name, document):
    return {
        0: name,
        1: document["outputs"][name],
        2: ["batch", "keypoint", "xy" if name == "keypoints" else "score"],
        3: {0: _byte(_FEATURE_PROPERTIES), 1: {}},
        6: [{0: LABELS, 1: "keypoint names", 2: _byte(_TENSOR_AXIS_LABELS)}],
    }


def _table(builder, fields):
    """Write a table given as {field number: value}; return its offset."""
    # Children first: a FlatBuffer is built from its leaves to its root.
    offsets = {
        slot: value if isinstance(value, _Number) else _child(builder, value)
        for slot, value in fields.items()
    }
    builder.StartObject(max(fields, default=-1) + 1)
    for slot, value in offsets.items():
        if isinstance(value, _Number):
            getattr(builder, value.method)(slot, value.value, 0)
        else:
            builder.PrependUOffsetTRelativeSlot(slot, value, 0)
    return builder.EndObject()


def _child(builder, value):
    if isinstance(value, str):
        return builder.CreateString(value)
    if isinstance(value, dict):
        return _table(builder, value)
    if isinstance(value[0], float):
        builder.StartVector(4, len(value), 4)
        for number in reversed(value):
            builder.PrependFloat32(number)
        return builder.EndVector()
    children = [_child(builder, item) for item in value]
    builder.StartVector(4, len(children), 4)
    for offset in reversed(children):
        builder.PrependUOffsetTRelative(offset)
    return builder.EndVector()
