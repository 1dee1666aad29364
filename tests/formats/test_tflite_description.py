"""The description that TensorFlow Lite's own tools read, by the published schema."""

from flatbuffers import number_types, table

from distilpose_keras.formats.tflite_description import encode_description


def test_the_standard_description_follows_its_schema(document):
    # Offsets read by hand after metadata_schema.fbs: vtable slot 4 + 2 * field.
    data = encode_description(document, inputs=["image"], outputs=["keypoints"])
    assert data[4:8] == b"M001"

    def root(data):
        return table.Table(data, int.from_bytes(data[:4], "little"))

    def text(node, field):
        return node.String(node.Offset(4 + 2 * field) + node.Pos).decode()

    def first(node, field):
        position = node.Vector(node.Offset(4 + 2 * field))
        return table.Table(node.Bytes, node.Indirect(position))

    def child(node, field):
        return table.Table(
            node.Bytes, node.Indirect(node.Offset(4 + 2 * field) + node.Pos)
        )

    description = root(data)
    assert text(description, 0) == "demo_student"
    assert "AP: 0.5000" in text(description, 1)
    assert text(description, 2) == "1.2"
    image = first(first(description, 3), 2)  # subgraph 0, input 0
    assert text(image, 0) == "image"
    size = child(child(child(image, 3), 1), 1)  # content, image properties, size
    width = size.Get(number_types.Uint32Flags, size.Offset(4) + size.Pos)
    height = size.Get(number_types.Uint32Flags, size.Offset(6) + size.Pos)
    assert (width, height) == (48, 64)
    keypoints = first(first(description, 3), 3)
    assert text(first(keypoints, 6), 0) == "keypoints.txt"


def test_what_was_not_measured_is_said(document):
    unknown = document | {"ap": None, "training_data": ""}
    data = encode_description(unknown, inputs=["image"], outputs=["keypoints"])
    assert b"Trained on: unknown. AP: not measured." in data
