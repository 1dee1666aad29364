"""Metadata of ONNX files, read without building what they compute."""

METADATA = 14  # the field of ModelProto, a list of StringStringEntryProto
KEY, VALUE = 1, 2
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # wire types of protobuf
LONGEST_VARINT = 10


def read_entry(content, name):
    """Return the text of a metadata entry, or None if the file has none of that name.

    Args:
        content: the bytes of the file.
        name: the entry's name.

    Raises:
        ValueError: if the bytes are no protobuf message or end too early.
    """
    found = None
    for field, value in _fields(memoryview(content)):
        if field == METADATA and isinstance(value, memoryview):
            entry = {key: bytes(text) for key, text in _fields(value)}
            if entry.get(KEY) == name.encode():
                found = entry.get(VALUE, b"").decode()
    return found


def _fields(message):
    """Yield (field number, value) of a protobuf message; a view of lengths' bytes."""
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        field, wire = tag >> 3, tag & 7
        if wire == VARINT:
            value, position = _varint(message, position)
        elif wire in (FIXED64, BYTES, FIXED32):
            size = {FIXED64: 8, FIXED32: 4}.get(wire)
            if size is None:
                size, position = _varint(message, position)
            value = message[position : position + size]
            position += size
        else:
            raise ValueError("not an ONNX file")
        if not field or position > len(message):
            raise ValueError("truncated, or not an ONNX file")
        yield field, value


def _varint(message, position):
    """A number of seven bits a byte; return it and the position behind it."""
    number = 0
    for count in range(LONGEST_VARINT):
        if position >= len(message):
            break
        byte = message[position]
        position += 1
        number |= (byte & 0x7F) << 7 * count
        if not byte & 0x80:
            return number, position
    raise ValueError("truncated, or not an ONNX file")
