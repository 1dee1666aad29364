import struct
from zlib import crc32

import cv2
import numpy as np
import pytest
import recipe

from distilpose_keras.data.images import ImageError, read_image, read_reduced_image


@pytest.fixture
def picture():
    return recipe.picture(90, 130, seed=4)


def save(path, picture, *options):
    cv2.imwrite(str(path), picture[..., ::-1], options)
    return path


@pytest.mark.parametrize("kind", ["jpg", "png", "bmp"])
def test_pictures_are_read_as_opencv_reads_them(tmp_path, picture, kind):
    path = save(tmp_path / f"a.{kind}", picture)
    expected = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    image = read_image(path)
    assert image.dtype == np.uint8
    # Decoders of the same JPEG may round differently.
    np.testing.assert_allclose(image.astype(int), expected, atol=2)


def test_real_pictures_are_read_as_opencv_reads_them(coco_tiny):
    for path in sorted((coco_tiny / "val2017").iterdir())[:5]:
        expected = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        np.testing.assert_allclose(read_image(path).astype(int), expected, atol=2)


def test_a_grey_picture_has_three_equal_channels(tmp_path, picture):
    for kind in ("jpg", "png"):
        path = tmp_path / f"grey.{kind}"
        cv2.imwrite(str(path), picture[..., 0])
        image = read_image(path)
        assert image.shape == (90, 130, 3)
        assert (image == image[..., :1]).all()


def with_orientation(jpeg, orientation, order):
    """Put an EXIF block with an orientation into JPEG bytes."""
    tiff = {"<": b"II*\0", ">": b"MM\0*"}[order]
    tiff += struct.pack(order + "IH", 8, 2)
    tiff += struct.pack(order + "HHII", 0x010F, 4, 1, 99)  # another tag first
    tiff += struct.pack(order + "HHIHH", 0x0112, 3, 1, orientation, 0)
    block = b"Exif\0\0" + tiff + struct.pack(order + "I", 0)
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + jpeg[2:]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("order", ["<", ">"])
def test_pictures_stand_upright_as_opencv_shows_them(
    tmp_path, picture, orientation, order
):
    stored = save(tmp_path / "a.jpg", picture)
    path = tmp_path / "turned.jpg"
    path.write_bytes(with_orientation(stored.read_bytes(), orientation, order))
    expected = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    assert expected.shape[:2] == ((90, 130) if orientation < 5 else (130, 90))
    np.testing.assert_allclose(read_image(path).astype(int), expected, atol=2)
    _, reduction = read_reduced_image(path, 2)
    assert reduction == (2 if orientation == 1 else 1)


def turned_by_six(stored):
    """The stored pixels, as orientation 6 asks for them: clockwise."""
    return np.rot90(stored, -1)


def tiff_orientation(value):
    return struct.pack("<4sIHHHIHHI", b"II*\0", 8, 1, 0x0112, 3, 1, value, 0, 0)


def test_exif_behind_a_long_color_profile_is_followed(tmp_path, picture):
    stored = save(tmp_path / "a.jpg", picture)
    jpeg = with_orientation(stored.read_bytes(), 6, ">")
    # 60 KB in front, with the text that is looked for in it.
    profile = b"ICC_PROFILE\0\1\1" + b"Exif\0\0" * 10_000
    segment = b"\xff\xff\xe2" + struct.pack(">H", len(profile) + 2) + profile
    path = tmp_path / "turned.jpg"
    path.write_bytes(jpeg[:2] + segment + jpeg[2:])
    np.testing.assert_array_equal(read_image(path), turned_by_six(read_image(stored)))


def chunk(name, content):
    """A PNG chunk."""
    checked = name + content
    return struct.pack(">I", len(content)) + checked + struct.pack(">I", crc32(checked))


def test_a_png_with_orientation_stands_upright(tmp_path, picture):
    content = save(tmp_path / "a.png", picture).read_bytes()
    exif = chunk(b"eXIf", tiff_orientation(6))
    path = tmp_path / "turned.png"
    for end in (33, len(content) - 12):  # behind the header, before the end
        path.write_bytes(content[:end] + exif + content[end:])
        np.testing.assert_array_equal(read_image(path), turned_by_six(picture))


def test_a_webp_with_orientation_stands_upright(tmp_path, picture):
    path = tmp_path / "a.webp"
    save(path, picture, cv2.IMWRITE_WEBP_QUALITY, 101)  # lossless
    vp8l = path.read_bytes()[12:]
    height, width = picture.shape[:2]
    extended = struct.pack("<4sIB3x", b"VP8X", 10, 0x08)  # with EXIF
    extended += (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    exif = tiff_orientation(6)
    body = b"WEBP" + extended + vp8l + struct.pack("<4sI", b"EXIF", len(exif)) + exif
    path.write_bytes(struct.pack("<4sI", b"RIFF", len(body)) + body)
    np.testing.assert_array_equal(read_image(path), turned_by_six(picture))


def test_a_picture_that_claims_too_many_pixels_is_refused(tmp_path, picture):
    path = save(tmp_path / "a.png", np.zeros_like(picture))
    content = path.read_bytes()
    header = struct.pack(">II", 20_000, 20_000) + content[24:29]
    path.write_bytes(content[:8] + chunk(b"IHDR", header) + content[33:])
    with pytest.raises(ImageError, match="268435456 pixels. .*a.png, 20000x20000"):
        read_image(path)
    bmp = save(tmp_path / "a.bmp", picture).read_bytes()
    path.write_bytes(bmp[:18] + struct.pack("<ii", 20_000, -20_000) + bmp[26:])
    with pytest.raises(ImageError, match="20000x20000"):
        read_image(path)


def test_damaged_exif_is_passed_over(tmp_path, picture):
    stored = save(tmp_path / "a.jpg", picture).read_bytes()
    path = tmp_path / "b.jpg"
    for garbage in (b"Exif\0\0XX", b"Exif\0\0II*\0\xff\xff\xff\xff"):
        block = struct.pack(">H", len(garbage) + 2) + garbage
        path.write_bytes(stored[:2] + b"\xff\xe1" + block + stored[2:])
        assert read_image(path).shape == (90, 130, 3)


@pytest.mark.parametrize("reduction", [2, 4, 8])
def test_a_reduced_picture_averages_pixels(tmp_path, reduction):
    picture = recipe.picture(92, 130, seed=4)
    path = save(tmp_path / "a.jpg", picture, cv2.IMWRITE_JPEG_QUALITY, 98)
    image, found = read_reduced_image(path, reduction)
    assert found == reduction
    height, width = 92 // reduction, 130 // reduction
    assert image.shape == (-(-92 // reduction), -(-130 // reduction), 3)
    whole = picture[: height * reduction, : width * reduction].astype(float)
    blocks = whole.reshape(height, reduction, width, reduction, 3).mean(axis=(1, 3))
    assert np.abs(image[:height, :width] - blocks).mean() < 1.5


def test_only_jpeg_is_reduced(tmp_path, picture):
    image, reduction = read_reduced_image(save(tmp_path / "a.png", picture), 4)
    assert (image.shape, reduction) == ((90, 130, 3), 1)


def test_a_missing_picture_is_named(tmp_path):
    with pytest.raises(ImageError, match=r"cannot read image .*gone\.jpg: No such"):
        read_image(tmp_path / "gone.jpg")


@pytest.mark.parametrize("kind", ["jpg", "png"])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.99])
def test_a_truncated_picture_is_named(tmp_path, picture, kind, share):
    path = save(tmp_path / f"cut.{kind}", picture)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    said = "^image is truncated" if share >= 0.5 else ""
    with pytest.raises(ImageError, match=rf"{said}.*cut\.{kind}") as error:
        read_image(path)
    assert "\n" not in str(error.value)


def test_a_chunk_that_claims_gigabytes_is_not_reserved(tmp_path, picture):
    content = bytearray(save(tmp_path / "a.png", picture).read_bytes())
    content[33:37] = b"\x92\x80\0\0"  # the first length behind the header
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(ImageError, match="^image is truncated: .*a.png"):
        read_image(tmp_path / "a.png")


def test_what_is_not_a_picture_is_named(tmp_path):
    path = tmp_path / "notes.jpg"
    path.write_text("no picture at all, but enough text for a header")
    with pytest.raises(ImageError, match=r"not a picture.*notes\.jpg"):
        read_image(path)
    with pytest.raises(ImageError, match="cannot read image"):
        read_image(tmp_path)
