"""One place that reads the fields of annotations, whatever program wrote them.

Null is absent; numbers may be text or floats. A field that cannot be followed is a
`FieldError`, which says what was expected.
"""

import math

NO_ID = -(1 << 63)  # stands in the int64 columns for an id that is not given
_NO = {"", "0", "false", "no", "none", "null"}


class FieldError(ValueError):
    """A field of an entry is not what it must be; the message names both."""

    def __init__(self, field, expected, value):
        """Say which field, what it must be and what it is."""
        super().__init__(f"{field} that is not {expected} ({str(value)[:40]!r})")


def whole_number(value):
    """Return an int, or an integral float or text, as an int64; None for others."""
    if isinstance(value, str):
        try:
            value = int(value)
        except ValueError:
            try:
                value = float(value)
            except ValueError:
                return None
    if isinstance(value, float):
        if not value.is_integer():
            return None
        value = int(value)
    if not isinstance(value, int) or abs(value) >= 1 << 62:
        return None
    return value


def read_id(entry, field):
    """Return an id as an int; NO_ID if it is absent.

    Raises:
        FieldError: if it is not a whole number.
    """
    value = entry.get(field)
    if value is None:
        return NO_ID
    number = whole_number(value)
    if number is None:
        raise FieldError(field, "a whole number", value)
    return number


def read_picture_id(value, field="image_id"):
    """Return the id of a picture as the file writes it: an int or a text.

    Text stays text, also if it is a number: it may be a name.
    """
    if isinstance(value, str) and value.strip():
        return value
    number = None if isinstance(value, str) else whole_number(value)
    if number is None:
        raise FieldError(field, "a whole number or a name", value)
    return number


def read_number(value, field):
    """Return a number as a float; NaN for one that is absent."""
    if value is None:
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise FieldError(field, "a number", value) from None


def read_box(value, field="bbox"):
    """Return a box as 4 floats; NaN for a box, or a part of it, that is absent."""
    if value is None or (isinstance(value, (list, tuple)) and not value):
        return (math.nan,) * 4
    if not isinstance(value, (list, tuple)) or len(value) != 4:
        raise FieldError(field, "4 numbers", value)
    return tuple(read_number(part, field) for part in value)


def read_keypoints(value, field="keypoints"):
    """Return keypoints as a flat list of floats; one without a number is unlabelled.

    Triples in lists of their own are understood. Where x, y or the flag is null the
    keypoint is (0, 0, 0).
    """
    if value is None:
        return []
    if not isinstance(value, (list, tuple)):
        raise FieldError(field, "a list of numbers", value)
    if value and all(isinstance(part, (list, tuple)) for part in value):
        if any(len(part) != 3 for part in value):
            raise FieldError(field, "x, y and a flag each", value)
        value = [number for part in value for number in part]
    absent = {n // 3 for n, number in enumerate(value) if number is None}
    return [
        0.0 if n // 3 in absent else read_number(number, field)
        for n, number in enumerate(value)
    ]


def read_flag(value):
    """Return whether a yes-or-no field says yes; absent is no."""
    if isinstance(value, str):
        return value.strip().lower() not in _NO
    return bool(value)
