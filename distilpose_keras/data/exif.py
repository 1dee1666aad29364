"""What JPEG and TIFF bytes say about a picture beside its pixels."""

import struct

EXIF_ORIENTATION = 0x0112
TIFF_INTEGERS = {1: "B", 3: "H", 4: "I"}  # the codes of types, as struct's letters


def exif_orientation(data: bytes) -> int:
    """Return the EXIF orientation (1 to 8) of JPEG bytes; 1 if there is none."""
    for segment in _application_segments(data):
        if segment[:6] == b"Exif\0\0":
            try:
                value = tiff_entries(segment[6:])[EXIF_ORIENTATION]
            except (KeyError, struct.error):
                return 1  # damaged metadata: show the picture as it is stored
            return value if 1 <= value <= 8 else 1
    return 1


def _application_segments(data):
    """Yield what is in the APP1 segments of a JPEG, wherever they are."""
    position = 2
    while data[position : position + 1] == b"\xff" and position + 4 <= len(data):
        marker, length = struct.unpack_from(">BH", data, position + 1)
        if marker == 0xDA:  # the picture itself
            return
        if marker == 0xFF:  # a marker may be preceded by fill bytes
            position += 1
            continue
        if marker == 0xE1:
            yield data[position + 4 : position + 2 + length]
        position += 2 + length


def tiff_entries(data: bytes) -> dict[int, int]:
    """Return the whole numbers of the first directory of TIFF bytes, by tag.

    EXIF is such a directory. Only numbers that stand in the directory itself are read.
    """
    order = {b"II": "<", b"MM": ">"}[data[:2]]
    (start,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, start)
    entries = {}
    for at in range(start + 2, start + 2 + 12 * count, 12):
        tag, kind, number = struct.unpack_from(order + "HHI", data, at)
        if number == 1 and kind in TIFF_INTEGERS:
            (entries[tag],) = struct.unpack_from(
                order + TIFF_INTEGERS[kind], data, at + 8
            )
    return entries
