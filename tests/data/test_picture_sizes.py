"""Pictures that are not of the size that their annotations say."""

import json

import cv2
import numpy as np
import pytest

from distilpose_keras.crops import crop_batches
from distilpose_keras.data.coco import load_people
from distilpose_keras.data.dataset import PoseDataset
from distilpose_keras.data.images import ImageError, read_image, read_reduced_image
from distilpose_keras.data.transforms import Augmentation

from .other_files import HEIGHT, WIDTH, document, write

EXIF = (
    bytes.fromhex("ffe10022457869660000") + b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0"
)


def jpeg(path, image, orientation):
    """Write a JPEG that says how it was held."""
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 100])
    data = data.tobytes()
    segment = EXIF + b"\0\0" + bytes([orientation, 0, 0, 0, 0, 0, 0, 0])
    path.write_bytes(data[:2] + segment + data[2:])
    return path


def gradient(height=HEIGHT, width=WIDTH):
    """A picture whose every place is a color of its own."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x, y, 0 * x], axis=-1).astype(np.uint8)


@pytest.mark.parametrize("reduction", [1, 2])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_the_pixels_are_those_that_were_labelled(tmp_path, orientation, reduction):
    path = jpeg(tmp_path / "a.jpg", gradient(), orientation)
    upright = read_image(path)
    stored = gradient()[..., ::-1]
    turns = orientation >= 5
    # By the size of the upright picture, and by that of the stored pixels.
    image, found = read_reduced_image(path, reduction, upright.shape[:2])
    assert (image.shape[0] * found, image.shape[1] * found) == upright.shape[:2]
    if turns:
        image, found = read_reduced_image(path, reduction, (HEIGHT, WIDTH))
        assert found == reduction
        expected = cv2.resize(
            stored, None, fx=1 / found, fy=1 / found, interpolation=cv2.INTER_AREA
        )
        np.testing.assert_allclose(image.astype(int), expected, atol=6)


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("size", [(45, 80), (180, 320), (90, 90), (100, 160)])
def test_a_picture_of_another_size_is_named_with_both(tmp_path, size, orientation):
    path = jpeg(tmp_path / "a.jpg", gradient(), orientation)
    shown = r"160 x 90" if orientation == 1 else r"90 x 160"
    with pytest.raises(
        ImageError,
        match=rf"a\.jpg must be {size[1]} x {size[0]} pixels"
        rf".*Received: {shown}",
    ):
        read_image(path, size)
    png = tmp_path / "a.png"
    cv2.imwrite(str(png), gradient())
    with pytest.raises(ImageError, match=r"a\.png must be .* 160 x 90"):
        read_image(png, size)


def test_a_pixel_more_or_less_is_rounding(tmp_path):
    path = jpeg(tmp_path / "a.jpg", gradient(), 1)
    assert read_image(path, (HEIGHT + 1, WIDTH - 1)).shape == (HEIGHT, WIDTH, 3)


def halved(tmp_path):
    path = write(tmp_path, document())
    half = cv2.resize(gradient(), (WIDTH // 2, HEIGHT // 2))
    cv2.imwrite(str(tmp_path / f"{2:012d}.jpg"), half)
    return load_people(path, tmp_path)


def test_halved_pictures_stop_training_and_scoring(tmp_path):
    people = halved(tmp_path)
    message = r"000000000002\.jpg must be 160 x 90 pixels.*Received: 80 x 45"
    with pytest.raises(ImageError, match=message):
        list(crop_batches(people, input_size=(64, 48), batch_size=4))
    with PoseDataset(people, batch_size=6) as batches:
        with pytest.raises(ImageError, match=message):
            _ = batches[0]
    with PoseDataset(people, batch_size=6, skip_bad_images=True) as batches:
        _ = batches[0]
        assert list(batches.bad_images) == [str(tmp_path / f"{2:012d}.jpg")]


def exchange(data):
    for image in data["images"]:
        image["width"], image["height"] = image["height"], image["width"]
    return data


@pytest.mark.parametrize("orientation", [1, 6])
def test_width_and_height_that_changed_places_are_followed(tmp_path, orientation):
    data = document()
    path = write(tmp_path, data, pictures=False)
    for image in data["images"]:
        jpeg(tmp_path / image["file_name"], gradient(), orientation)
    expected = load_people(path, tmp_path)
    path.write_text(json.dumps(exchange(data)))
    with pytest.warns(UserWarning, match="width and height of . pictures had changed"):
        people = load_people(path, tmp_path)
    np.testing.assert_allclose(people.boxes_xywh, expected.boxes_xywh)
    for size in ((64, 48),):
        options = {"input_size": size, "batch_size": 6}
        (ours,) = crop_batches(people, **options)
        (wanted,) = crop_batches(expected, **options)
        np.testing.assert_array_equal(ours.crops, wanted.crops)


def test_labels_of_stored_pixels_are_cropped_from_them(tmp_path):
    data = document()
    path = write(tmp_path, data, pictures=False)
    options = {
        "batch_size": 6,
        "input_size": (64, 48),
        "shuffle": False,
        "augmentation": Augmentation.none(),
        "image_dtype": "uint8",
    }
    batches = []
    for orientation in (1, 6):
        for image in data["images"]:
            jpeg(tmp_path / image["file_name"], gradient(), orientation)
        with PoseDataset(load_people(path, tmp_path), **options) as dataset:
            batches.append(dataset[0][0])
    np.testing.assert_array_equal(*batches)


def test_sizes_that_are_not_given_are_read_from_the_pictures(tmp_path):
    data = document()
    path = write(tmp_path, data)
    expected = load_people(path, tmp_path)
    for absent in (None, 0):
        for image in data["images"]:
            image["width"] = image["height"] = absent
        path.write_text(json.dumps(data))
        with pytest.warns(UserWarning, match="sizes of 3 pictures read from them"):
            people = load_people(path, tmp_path)
        np.testing.assert_array_equal(people.image_sizes, expected.image_sizes)
        np.testing.assert_array_equal(people.boxes_xywh, expected.boxes_xywh)
    (tmp_path / f"{3:012d}.jpg").unlink()
    with pytest.raises(ImageError, match=r"000000000003\.jpg"):
        load_people(path, tmp_path)
