"""When each frame of an MP4 file is shown, written into the file afterwards.

OpenCV writes one frame rate. Phones, screen recorders and cameras have frames at
uneven times; the table of durations (ISO/IEC 14496-12, ``stts``) says so.
"""

import itertools
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np

TICKS = 90_000  # a second, as in MPEG transport; 13 hours fit into 32 bits
_CONTAINERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts"}


def set_frame_times(path: Path, seconds: Sequence[float], last: float) -> bool:
    """Set when the frames of a video are shown.

    Args:
        path: an MP4 file with one track whose index is at its end, as OpenCV writes.
        seconds: when each frame begins, ascending.
        last: duration of the last frame in seconds.

    Returns:
        Whether the file was changed; not if it is of another kind or too long.
    """
    with open(path, "r+b") as file:
        start, content = _last_box(file)
        if content is None:
            return False
        ticks = np.round((np.append(seconds, seconds[-1] + last) - seconds[0]) * TICKS)
        durations = np.maximum(np.diff(ticks), 1).astype(np.int64)
        if durations.sum() >= 1 << 32 or not _fits(content, len(durations)):
            return False
        file.seek(start)
        file.write(_box(b"moov", _rebuilt(content, durations)))
        file.truncate()
    return True


def _last_box(file):
    """Where the box ``moov`` starts and its content, or None if it is not the last."""
    file.seek(0)
    while len(header := file.read(8)) == 8:
        size, name = struct.unpack(">I4s", header)
        start = file.tell() - 8
        if name == b"moov":
            content = file.read(size - 8)
            return start, None if file.read(1) else content
        if size == 1:
            size = struct.unpack(">Q", file.read(8))[0]
        if size < 8:
            break
        file.seek(start + size)
    return 0, None


def _boxes(content):
    """Yield the name and content of the boxes in a box."""
    position = 0
    while position + 8 <= len(content):
        size, name = struct.unpack_from(">I4s", content, position)
        if size < 8:
            return
        yield name, content[position + 8 : position + size]
        position += size


def _fits(content, count):
    """Whether there is one track, of this many frames, described in 32 bits."""
    tracks = [inner for name, inner in _boxes(content) if name == b"trak"]
    if len(tracks) != 1:
        return False
    leaves = dict(_leaves(content))
    for name in (b"mvhd", b"tkhd", b"mdhd"):
        if leaves.get(name, b"\1")[0] != 0:  # version 1 has 64 bits
            return False
    if b"stsz" not in leaves or b"stts" not in leaves:
        return False
    return struct.unpack_from(">I", leaves[b"stsz"], 8)[0] == count


def _leaves(content):
    for name, inner in _boxes(content):
        if name in _CONTAINERS:
            yield from _leaves(inner)
        else:
            yield name, inner


def _rebuilt(content, durations):
    """The content of a container with the new times in it."""
    return b"".join(
        _box(name, _changed(name, inner, durations)) for name, inner in _boxes(content)
    )


def _changed(name, inner, durations):
    """The content of a box with the new times, where it has any."""
    total = int(durations.sum())
    if name in _CONTAINERS:
        return _rebuilt(inner, durations)
    if name == b"stts":
        runs = [(len([*run]), step) for step, run in itertools.groupby(durations)]
        table = b"".join(struct.pack(">II", count, step) for count, step in runs)
        return struct.pack(">II", 0, len(runs)) + table
    if name in (b"mvhd", b"mdhd"):  # flags, created, changed, ticks a second, duration
        return inner[:12] + struct.pack(">II", TICKS, total) + inner[20:]
    if name == b"tkhd":  # flags, created, changed, id, reserved, duration
        return inner[:20] + struct.pack(">I", total) + inner[24:]
    if name == b"elst" and inner[:1] == b"\0":  # one edit: all of it, from the start
        return struct.pack(">IIIiI", 0, 1, total, 0, 1 << 16)
    return inner


def _box(name, content):
    return struct.pack(">I4s", 8 + len(content), name) + content
