"""Small videos that tests write, and ways to damage them."""

import struct

import cv2
import numpy as np

UPRIGHT = (0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
TURNED_90 = (0, 0x10000, 0, -0x10000, 0, 0, 0, 0, 0x40000000)
TURNED_180 = (-0x10000, 0, 0, 0, -0x10000, 0, 0, 0, 0x40000000)
TURNED_270 = (0, -0x10000, 0, 0x10000, 0, 0, 0, 0, 0x40000000)


def write_video(path, values, codec="mp4v", fps=10, size=(64, 48)):
    """Write a video whose frames have these mean values and a white corner."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), fps, size)
    assert writer.isOpened()
    noise = np.random.default_rng(0).integers(-20, 20, (*size[::-1], 3))
    for value in values:
        frame = np.clip(noise + value, 0, 255).astype(np.uint8)
        frame[:12, :12] = 255  # upper left
        writer.write(frame)
    writer.release()
    return path


def turn(path, matrix):
    """Set the matrix of an MP4's track header, as a phone does that is held upright."""
    content = bytearray(path.read_bytes())
    place = content.index(b"tkhd") + 4 + 40
    assert struct.unpack_from(">9i", content, place) == UPRIGHT
    struct.pack_into(">9i", content, place, *matrix)
    path.write_bytes(content)
    return path


def blank_frame(path, share=0.5):
    """Fill one frame of an MJPEG AVI with zeros, about half way through it."""
    content = bytearray(path.read_bytes())
    place = content.index(b"00dc", int(len(content) * share))  # its header, its size
    size = int.from_bytes(content[place + 4 : place + 8], "little")
    content[place + 8 : place + 8 + size] = bytes(size)
    path.write_bytes(content)
    return path


def cut(path, share=0.5):
    """Keep the beginning of a file."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path


def seconds_of(path):
    """When each frame of a video is shown, by OpenCV."""
    capture = cv2.VideoCapture(str(path))
    seconds = []
    while capture.read()[0]:
        seconds.append(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
    capture.release()
    return seconds
