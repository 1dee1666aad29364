"""Reads pictures from disk as RGB, and says which file is at fault if it cannot."""

import struct
from collections.abc import Sequence

import cv2
import numpy as np
import simplejpeg
from numpy.typing import ArrayLike

from distilpose_keras.data.exif import exif_orientation, tiff_entries
from distilpose_keras.types import FilePath, Size

# More than any camera takes; decoded it is 0.8 GB. OpenCV's own limit is four times it.
MAX_PIXELS = 1 << 28
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
TIFF_WIDTH, TIFF_HEIGHT = 0x0100, 0x0101


class ImageError(ValueError):
    """A picture is missing, truncated or not a picture; the message names the file."""


class SizeError(ImageError):
    """A picture is not of the size that its annotations say."""


def read_image(path: FilePath, size: ArrayLike | None = None) -> np.ndarray:
    """Read a picture, upright as its EXIF orientation says.

    Args:
        path: the file, JPEG or anything else that OpenCV reads.
        size: (height, width) that annotations give it, see `settle_orientation`.

    Returns:
        (height, width, 3) uint8 RGB.

    Raises:
        ImageError: naming the file, if it is missing, truncated, not a picture, larger
            than `MAX_PIXELS` or not of this size.
    """
    return read_reduced_image(path, 1, size)[0]


def decode_image(data: bytes, name: str) -> np.ndarray:
    """Decode a picture that is not in a file of its own, upright by its EXIF.

    Args:
        data: the content of a JPEG, PNG or other picture file.
        name: what messages call it.

    Returns:
        (height, width, 3) uint8 RGB.

    Raises:
        ImageError: as `read_image`.
    """
    return decode_reduced_image(data, name, 1)[0]


def read_reduced_image(
    path: FilePath, reduction: int, size: ArrayLike | None = None
) -> tuple[np.ndarray, int]:
    """Read a picture at a fraction of its size if its format can do so cheaply.

    A JPEG is made of blocks of 8x8 pixels that can be decoded to 4x4, 2x2 or one:
    faster than all pixels, and an average of them rather than a sample.

    Args:
        path: the file.
        reduction: 1, 2, 4 or 8.
        size: (height, width) that annotations give it, see `settle_orientation`.

    Returns:
        (height, width, 3) uint8 RGB, and the reduction it has: ``reduction`` for an
        upright JPEG, else 1.

    Raises:
        ImageError: naming the file, if it is missing, truncated, not a picture or not
            of this size.
    """
    return decode_reduced_image(read_picture_bytes(path), path, reduction, size)


def decode_reduced_image(
    data: bytes, path: FilePath, reduction: int, size: ArrayLike | None = None
) -> tuple[np.ndarray, int]:
    """Decode the content of ``path``; see `read_reduced_image`."""
    _check_size(data, path)
    if data[:8] == PNG_SIGNATURE and not _has_whole_chunks(data):
        raise ImageError(f"image is truncated: {path}")
    orientation = 1
    if data[:2] == b"\xff\xd8":
        orientation = exif_orientation(data)
        if size is not None and (stored := _jpeg_size(data)) is not None:
            orientation = settle_orientation(stored, orientation, size, path)
            size = None
        reduction = reduction if orientation == 1 else 1
        image = _decode_jpeg(data, reduction, path)
    else:
        reduction = 1
        image = None
    if image is None:
        reduction = 1
        image = _decode_any(data, path)
        orientation = 1  # OpenCV has turned it
    if size is not None:
        orientation = settle_orientation(image.shape[:2], orientation, size, path)
    return _upright(image, orientation), reduction


def _check_size(data, path):
    """Refuse a picture before its pixels take memory: a few bytes can claim many."""
    size = _declared_size(data)
    if size is not None and size[0] * size[1] > MAX_PIXELS:
        raise ImageError(
            f"a picture must have at most {MAX_PIXELS} pixels. Received: {path}, "
            f"{size[0]}x{size[1]}"
        )


def _declared_size(data):
    """Width and height in the header; None of a format whose size is bounded."""
    try:
        if data[:2] == b"\xff\xd8":
            return simplejpeg.decode_jpeg_header(data)[1::-1]
        if data[:8] == PNG_SIGNATURE:
            return struct.unpack_from(">II", data, 16)
        if data[:2] == b"BM":
            return tuple(map(abs, struct.unpack_from("<ii", data, 18)))
        if data[:6] in (b"GIF87a", b"GIF89a"):
            return struct.unpack_from("<HH", data, 6)
        if data[:4] in (b"II*\0", b"MM\0*"):
            entries = tiff_entries(data)
            return entries[TIFF_WIDTH], entries[TIFF_HEIGHT]
    except (KeyError, ValueError, struct.error):
        pass  # damaged: the decoder says so
    return None


def _has_whole_chunks(data):
    """Whether a PNG goes on to its end; OpenCV reserves what a chunk says it holds."""
    position = len(PNG_SIGNATURE)
    while position + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        if kind == b"IEND":
            return True
        position += 12 + length
    return False


def read_size(path: FilePath) -> tuple[Size, int]:
    """Return the (height, width) of a picture as it is stored, and its orientation.

    Raises:
        ImageError: naming the file, if it is missing or not a picture.
    """
    data = read_picture_bytes(path)
    if data[:2] == b"\xff\xd8" and (stored := _jpeg_size(data)) is not None:
        return stored, exif_orientation(data)
    return _decode_any(data, path).shape[:2], 1


def settle_orientation(
    stored: Sequence[int], orientation: int, size: Sequence[int], path: FilePath
) -> int:
    """Say how to turn a picture whose annotations give it a size.

    Annotations of a turned picture are of what a viewer shows or of the pixels as they
    are stored: their size tells which. Width and height that have changed places are
    what one turn explains too. A difference of one pixel is a matter of rounding.

    Args:
        stored: (height, width) of the picture in its file.
        orientation: EXIF orientation, 1 to 8.
        size: (height, width) by the annotations.
        path: the file, for messages.

    Returns:
        EXIF orientation to apply; 1 for the pixels as they are stored.

    Raises:
        SizeError: naming both sizes, if no turn explains the difference.
    """
    turned = tuple(stored)[::-1]
    upright = turned if orientation >= 5 else tuple(stored)
    if same_size(upright, size):
        return orientation
    if same_size(turned if orientation < 5 else stored, size):
        return orientation if orientation < 5 else 1
    raise SizeError(
        f"{path} must be {size[1]} x {size[0]} pixels, as its annotations say. "
        f"Received: {upright[1]} x {upright[0]}"
    )


def same_size(one: Sequence[int], other: Sequence[int]) -> bool:
    """Whether two (height, width) are the same, up to a pixel of rounding."""
    return abs(one[0] - other[0]) <= 1 and abs(one[1] - other[1]) <= 1


def read_picture_bytes(path: FilePath) -> bytes:
    """Return the content of a picture's file.

    Raises:
        ImageError: naming the file, if it is missing or cannot be read.
    """
    try:
        with open(path, "rb") as file:
            return file.read()
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        reason = getattr(error, "strerror", None) or error
        raise ImageError(f"cannot read image {path}: {reason}") from None


def _jpeg_size(data):
    """The (height, width) of JPEG bytes; None if it is of a kind OpenCV may know."""
    try:
        return simplejpeg.decode_jpeg_header(data)[:2]
    except ValueError:
        return None


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
    """Decode what OpenCV knows, upright: it follows the EXIF of PNG, WebP and TIFF."""
    try:
        buffer = np.frombuffer(data, np.uint8)
        image = cv2.imdecode(buffer, cv2.IMREAD_COLOR_RGB) if data else None
    except cv2.error:
        image = None
    if image is None:
        raise ImageError(f"not a picture, or a damaged one: {path}")
    return image


def _upright(image, orientation):
    """Turn a stored picture the way its EXIF orientation says it was taken."""
    if orientation >= 5:
        image = image.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return np.ascontiguousarray(image)
