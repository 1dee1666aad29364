"""Reads the large arrays of a JSON file one element at a time.

COCO's training annotations are 240 MB of text and 2 GB of Python objects; only a few
numbers of each are wanted. This reads such a file in 5.5 processor seconds; `ijson`
(its C backend, floats) takes 7 for the annotations alone and 18 for all three arrays,
which are three passes to it.
"""

import json
import re
from contextlib import contextmanager

CHUNK = 1 << 22  # characters read at a time
_SPACE = re.compile(r"[ \t\r\n]*")
_NUMBER = re.compile(r"[-+.eE0-9]*")


class _Text:
    """A window over a text file that grows forward until a value is complete."""

    def __init__(self, file):
        self.file = file
        self.buffer = ""
        self.position = 0
        self.decode = json.JSONDecoder().raw_decode

    def more(self):
        """Drop what was used and read on; False at the end of the file."""
        rest = self.buffer[self.position :]
        # An incomplete value doubles the window, so that a long one is not reparsed
        # for every chunk.
        text = self.file.read(max(CHUNK, len(rest)))
        self.buffer, self.position = rest + text, 0
        return bool(text)

    def peek(self):
        """Return the next character that is not white space, or "" at the end."""
        while True:
            self.position = _SPACE.match(self.buffer, self.position).end()
            if self.position < len(self.buffer):
                return self.buffer[self.position]
            if not self.more():
                return ""

    def take(self, expected):
        """Step over one of the expected characters and return it."""
        found = self.peek()
        if not found or found not in expected:
            raise json.JSONDecodeError(
                f"expected one of {' '.join(expected)}", self.buffer, self.position
            )
        self.position += 1
        return found

    def value(self):
        """Decode the next value."""
        self.peek()
        while True:
            try:
                value, end = self.decode(self.buffer, self.position)
            except json.JSONDecodeError:
                if not self.more():
                    raise
                continue
            # A number at the end of the window may go on in the next chunk.
            if (
                _NUMBER.match(self.buffer, end).end() == len(self.buffer)
                and self.more()
            ):
                continue
            self.position = end
            return value


def text_encoding(path):
    """Return the encoding of a JSON file: UTF-8, or what its byte order mark says."""
    with open(path, "rb") as file:
        return json.detect_encoding(file.read(4))


def read_members(path, streamed):
    """Yield the members of the object in a JSON file.

    Args:
        path: the file; its top level must be an object.
        streamed: names of members that are arrays and come as iterators; each must be
            used up before the next member is asked for.

    Yields:
        (name, value); the value of a streamed member is an iterator of its elements.

    Raises:
        ValueError: naming the file, if it is not JSON, its top level is not an object
            or a streamed member is not an array.
    """
    with open(path, encoding=text_encoding(path)) as file, _naming(path):
        text = _Text(file)
        if text.peek() != "{":
            raise ValueError(f"{path} must hold a JSON object")
        text.take("{")
        if text.peek() == "}":
            return
        while True:
            name = text.value()
            text.take(":")
            if name not in streamed:
                yield name, text.value()
            elif text.peek() == "[":
                yield name, _elements(path, text)
            else:
                raise ValueError(f"{name!r} must be an array in {path}")
            if text.take(",}") == "}":
                return


def _elements(path, text):
    """Yield the elements of the array that starts here."""
    with _naming(path):
        text.take("[")
        if text.peek() == "]":
            text.take("]")
            return
        while True:
            yield text.value()
            if text.take(",]") == "]":
                return


@contextmanager
def _naming(path):
    """Turn a parser's error into one that names the file."""
    try:
        yield
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not valid JSON: {error.msg}") from None
    except UnicodeDecodeError as error:
        encoding = error.encoding.upper()
        raise ValueError(f"{path} is not {encoding} text: {error.reason}") from None
