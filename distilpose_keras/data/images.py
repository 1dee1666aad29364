"""Reads pictures from disk as RGB, and says which file is at fault if it cannot."""

import struct

import cv2
import numpy as np
import simplejpeg


class ImageError(ValueError):
    """A picture is missing, truncated or not a picture; the message names the file."""


def read_image(path):
    """Read a picture, upright as its EXIF orientation says.

    Args:
        path: the file, JPEG or anything else that OpenCV reads.

    Returns:
        (height, width, 3) uint8 RGB.

    Raises:
        ImageError: naming the file, if it is missing, truncated or not a picture.
    """
    return read_reduced_image(path, 1)[0]


def read_reduced_image(path, reduction):
    """Read a picture at a fraction of its size if its format can do so cheaply.

    A JPEG is made of blocks of 8x8 pixels that can be decoded to 4x4, 2x2 or one:
    faster than all pixels, and an average of them rather than a sample.

    Args:
        path: the file.
        reduction: 1, 2, 4 or 8.

    Returns:
        (height, width, 3) uint8 RGB, and the reduction it has: ``reduction`` for an
        upright JPEG, else 1.

    Raises:
        ImageError: naming the file, if it is missing, truncated or not a picture.
    """
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise ImageError(f"cannot read image {path}: {error.strerror}") from None
    orientation = 1
    if data[:2] == b"\xff\xd8":
        orientation = exif_orientation(data)
        reduction = reduction if orientation == 1 else 1
        image = _decode_jpeg(data, reduction, path)
    else:
        reduction = 1
        image = None
    if image is None:
        reduction = 1
        image = _decode_any(data, path)
    return _upright(image, orientation), reduction


def _decode_jpeg(data, reduction, path):
    """Decode a JPEG; None if it is of a kind that only OpenCV may know."""
    try:
        height, width = simplejpeg.decode_jpeg_header(data)[:2]
        return simplejpeg.decode_jpeg(
            data,
            "RGB",
            min_height=-(-height // reduction),
            min_width=-(-width // reduction),
            min_factor=reduction,
        )
    except ValueError as error:
        # OpenCV 4 fills the missing part of a picture with grey and returns it.
        if "Premature end" in str(error):
            raise ImageError(f"image is truncated: {path}") from None
        return None


def _decode_any(data, path):
    """Decode what OpenCV knows, as it is stored."""
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    image = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if data else None
    if image is None:
        raise ImageError(f"not a picture, or a damaged one: {path}")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def exif_orientation(data):
    """Return the EXIF orientation (1 to 8) of JPEG bytes; 1 if there is none."""
    start = data.find(b"Exif\0\0", 0, 4096) + 6
    if start < 6:
        return 1
    try:
        order = {b"II": "<", b"MM": ">"}[data[start : start + 2]]
        (directory,) = struct.unpack_from(order + "I", data, start + 4)
        (count,) = struct.unpack_from(order + "H", data, start + directory)
        for entry in range(count):
            at = start + directory + 2 + 12 * entry
            tag, _, _, value = struct.unpack_from(order + "HHIH", data, at)
            if tag == 0x0112:
                return value if 1 <= value <= 8 else 1
    except (KeyError, struct.error):
        pass  # damaged metadata: show the picture as it is stored
    return 1


def _upright(image, orientation):
    """Turn a stored picture the way its EXIF orientation says it was taken."""
    if orientation >= 5:
        image = image.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return np.ascontiguousarray(image)
