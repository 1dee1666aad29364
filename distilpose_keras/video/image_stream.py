"""Pictures that come one after the other through a pipe.

The stream is JPEG or PNG files, joined without anything between them: what ``cat
*.jpg`` and ``ffmpeg -i INPUT -f image2pipe -c:v mjpeg -`` write. Where a picture ends
follows from its own segments or chunks, so that it is worked on as soon as it has come.
"""

import re
from collections.abc import Callable, Iterator

JPEG, PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
CHUNK = 1 << 16  # bytes read at once
LARGEST = 1 << 28  # bytes of a picture; a stream that goes on without an end is damaged
_START = re.compile(re.escape(JPEG) + b"|" + re.escape(PNG))
# In the pixels of a JPEG, a byte FF that is one is followed by 00, and D0 to D7 mark
# places to start from again; any other marker is the next segment.
_MARKER = re.compile(rb"\xff+[^\x00\xd0-\xd7\xff]")
_STANDALONE = {0x01, *range(0xD0, 0xD8)}
_BEGIN, _END, _SCAN = 0xD8, 0xD9, 0xDA


def split_pictures(read: Callable[[int], bytes]) -> Iterator[bytes]:
    """Yield the content of each picture of a stream.

    What is damaged is yielded too, up to where the next picture begins: decoders tell.

    Args:
        read: function of a number of bytes that returns as many or fewer, and none at
            the end, such as a file's ``read``.

    Raises:
        ValueError: if the stream does not begin with a picture.
    """
    buffer = _Buffer(read)
    if not buffer.need(1):
        return
    buffer.need(len(PNG))
    if not _START.match(buffer.data):
        raise ValueError(
            "a stream must be JPEG or PNG pictures, one after the other. "
            f"Received: {bytes(buffer.data[:12])!r}"
        )
    while buffer.need(1):
        is_png = buffer.need(len(PNG)) and buffer.data.startswith(PNG)
        end = (_png_end if is_png else _jpeg_end)(buffer)
        yield buffer.take(end if end is not None else _next_start(buffer))


class _Buffer:
    """What has been read of a stream and not yet been taken."""

    def __init__(self, read):
        self._read, self._ended = read, False
        self.data = bytearray()

    def need(self, count):
        """Read until there are ``count`` bytes; False if the stream ends before."""
        while len(self.data) < count and self.more():
            pass
        return len(self.data) >= count

    def more(self):
        """Read some bytes; False at the end of the stream."""
        chunk = b"" if self._ended else self._read(CHUNK)
        self._ended = not chunk
        self.data += chunk
        return not self._ended

    def search(self, pattern, start):
        """Find a pattern from ``start``; None if the stream ends before it comes."""
        while True:
            found = pattern.search(self.data, start)
            if found and found.end() < len(self.data):
                return found
            # A pattern may lie across two chunks.
            start = found.start() if found else max(start, len(self.data) - len(PNG))
            if not self.more():
                return found or pattern.search(self.data, start)
            if start > LARGEST:
                return None

    def take(self, count):
        """Remove bytes from the front and return them."""
        taken = bytes(self.data[:count])
        del self.data[:count]
        return taken


def _jpeg_end(buffer):
    """Where the JPEG at the front ends; None if it is damaged or the stream ends."""
    position = 2
    while buffer.need(position + 2):
        if buffer.data[position] != 0xFF:
            return None
        code = buffer.data[position + 1]
        if code == _END:
            return position + 2
        if code == _BEGIN:  # of the next picture: this one was cut off
            return position
        if code == 0xFF:  # filling
            position += 1
        elif code in _STANDALONE:
            position += 2
        else:
            if not buffer.need(position + 4):
                return None
            length = int.from_bytes(buffer.data[position + 2 : position + 4], "big")
            position += 2 + length
            if code == _SCAN:
                marker = buffer.search(_MARKER, position)
                if marker is None:
                    return None
                position = marker.start()
    return None


def _png_end(buffer):
    """Where the PNG at the front ends; None if it is damaged or the stream ends."""
    position = len(PNG)
    while buffer.need(position + 8):
        length = int.from_bytes(buffer.data[position : position + 4], "big")
        kind = bytes(buffer.data[position + 4 : position + 8])
        if not kind.isalpha() or length > LARGEST:
            return None
        position += 12 + length
        if not buffer.need(position):
            return None
        if kind == b"IEND":
            return position
    return None


def _next_start(buffer):
    """Where the next picture begins, behind a damaged one; or where the stream ends."""
    found = buffer.search(_START, 2)
    return found.start() if found else len(buffer.data)
