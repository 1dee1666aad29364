"""Streams of joined pictures: cut where one ends, whatever the chunks are."""

import io
import itertools

import cv2
import numpy as np
import pytest

from distilpose_keras.data.images import decode_image
from distilpose_keras.video.image_stream import split_pictures


def picture(value, suffix=".jpg", size=(48, 64), options=()):
    noise = np.random.default_rng(value).integers(0, 60, (*size, 3))
    encoded, content = cv2.imencode(
        suffix, (noise + value).astype(np.uint8), list(options)
    )
    assert encoded
    return content.tobytes()


def pictures():
    restarts = [cv2.IMWRITE_JPEG_RST_INTERVAL, 2]
    progressive = [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]
    return [
        picture(10),
        picture(50, ".png"),
        picture(90, options=restarts),
        picture(130, size=(20, 30), options=progressive),
        # A preview inside the picture's own segments ends before the picture does.
        with_preview(picture(170), picture(5, size=(8, 8))),
        picture(190),
    ]


def with_preview(jpeg, preview):
    segment = b"Exif\0\0" + preview
    length = (len(segment) + 2).to_bytes(2, "big")
    return jpeg[:2] + b"\xff\xe1" + length + segment + jpeg[2:]


class Slow(io.BytesIO):
    """Gives a few bytes at a time, as a pipe may."""

    def __init__(self, content, sizes):
        super().__init__(content)
        self.sizes = itertools.cycle(sizes)

    def read(self, count):
        return super().read(min(count, next(self.sizes)))


@pytest.mark.parametrize("sizes", [(1 << 20,), (1,), (7, 1000, 3)])
def test_pictures_are_cut_where_they_end(sizes):
    expected = pictures()
    assert list(split_pictures(Slow(b"".join(expected), sizes).read)) == expected


def test_a_picture_is_there_before_the_next_one_comes():
    first, second = picture(10), picture(50)

    parts = iter((first + b"\xff", None))

    def read(count):
        part = next(parts)
        assert part is not None, "read on although a picture is whole"
        return part

    assert next(split_pictures(read)) == first
    assert second != first


def test_a_damaged_picture_does_not_take_others_with_it():
    whole = pictures()
    damaged = bytearray(whole[1])
    damaged[8:16] = b"\xff" * 8  # a length that no chunk has
    cut = picture(200)[:900]
    stream = whole[0] + bytes(damaged) + whole[2] + cut + whole[3]
    parts = list(split_pictures(io.BytesIO(stream).read))
    assert parts[0] == whole[0] and whole[2] in parts and parts[-1] == whole[3]
    good = 0
    for part in parts:
        try:
            good += decode_image(part, "stdin").size > 0
        except ValueError as error:
            assert "stdin" in str(error)
    assert good == 3


def test_a_stream_that_ends_within_a_picture_gives_its_part():
    whole = picture(10)
    parts = list(split_pictures(io.BytesIO(whole + whole[:-20]).read))
    assert parts == [whole, whole[:-20]]
    assert list(split_pictures(io.BytesIO(b"").read)) == []


@pytest.mark.parametrize("content", [b"hello\n", b"RIFF....AVI LIST", b"\xff"])
def test_what_is_no_picture_is_refused(content):
    with pytest.raises(ValueError, match="JPEG or PNG pictures.*Received: b'"):
        list(split_pictures(io.BytesIO(content).read))
