"""The kinds of files that are damaged: whole ones, and what reads them."""

import functools
import io
import json
import pickle
import random
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from tests.fuzz.mutation import damaged, damaged_json, damaged_member


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes:
        suffix: of its files.
        seeds: function that returns whole files, as bytes.
        read: function of a path that reads a file as the library does. It may only
            raise a `ValueError` (or an `OSError`) of one line.
        damages: functions of (content, random).
        native: whether a library that is not Python parses it: a damaged file may
            end the process.
    """

    suffix: str
    seeds: Callable
    read: Callable
    damages: tuple = (damaged,)
    native: bool = False

    def spoiled(self, random):
        """Return the bytes of a damaged file."""
        return random.choice(self.damages)(random.choice(self.seeds()), random)


def picture():
    height, width = 40, 56
    ramp = np.add.outer(np.arange(height) * 3, np.arange(width) * 2) % 256
    return np.stack(
        [ramp, ramp.T[:1].repeat(height, 0)[:, :1] + 0 * ramp, 255 - ramp], -1
    )


@functools.cache
def images(suffix, *options):
    image = picture().astype(np.uint8)
    plain = cv2.imencode(suffix, image, options)[1].tobytes()
    gray = cv2.imencode(suffix, image[..., 0], options)[1].tobytes()
    return plain, gray


@functools.cache
def jpegs():
    progressive = images(".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1)[0]
    return *images(".jpg"), progressive, turned(".jpg")


def turned(suffix):
    """A picture with the EXIF orientation 6."""
    exif = struct.pack("<4sIHHHIHHI", b"II*\0", 8, 1, 0x0112, 3, 1, 6, 0, 0)
    metadata = [np.frombuffer(exif, np.uint8)]
    return cv2.imencodeWithMetadata(
        suffix, picture().astype(np.uint8), [cv2.IMAGE_METADATA_EXIF], metadata
    )[1].tobytes()


def read_picture(path):
    from distilpose_keras.data.images import read_image

    image = read_image(path)
    assert image.ndim == 3 and image.dtype == np.uint8


@functools.cache
def student():
    from distilpose_keras.models.model import build_model
    from tests.conftest import rough

    sizes = {
        "input_size": (32, 24),
        "backbone": {"width": 4, "block_width": 4},
        "transformer": {"dim": 8, "layers": 1, "heads": 2},
    }
    return rough(build_model("demo_student", name="tiny", **sizes))


def in_file(suffix, write):
    """The bytes that a function writes to a path."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"a{suffix}"
        write(path)
        return path.read_bytes()


@functools.cache
def keras_files():
    return (in_file(".keras", student().save),)


@functools.cache
def checkpoints():
    """Files of PyTorch in both of its formats, and a pickle of arrays."""
    import torch

    from distilpose_keras.models.checkpoints import state_dict

    state = {key: torch.tensor(value) for key, value in state_dict(student()).items()}
    whole = {"state_dict": state, "epoch": 3, "optimizer": {"lr": 0.1, "state": {}}}
    whole |= {"log": random.Random, "half": torch.zeros(3, dtype=torch.bfloat16)}
    arrays = {"model": {key: value.numpy() for key, value in state.items()}}

    def saved(**how):
        file = io.BytesIO()
        torch.save(whole, file, **how)
        return file.getvalue()

    return saved(), saved(_use_new_zipfile_serialization=False), pickle.dumps(arrays)


@functools.cache
def npz_files():
    from distilpose_keras.models.checkpoints import state_dict

    files = []
    for save in (np.savez, np.savez_compressed):
        file = io.BytesIO()
        save(file, **state_dict(student()))
        files.append(file.getvalue())
    return tuple(files)


@functools.cache
def safetensors_files():
    from safetensors.numpy import save

    from distilpose_keras.models.checkpoints import state_dict

    return (save(state_dict(student())),)


def read_model(path):
    from distilpose_keras.models.model import load_model

    load_model(path)


def read_checkpoint(path):
    from distilpose_keras.models.checkpoint_files import read_checkpoint

    read_checkpoint(path)


def exported(suffix):
    @functools.cache
    def files():
        from distilpose_keras.export.onnx.write import export_onnx
        from distilpose_keras.export.tflite.write import export_tflite

        export = export_onnx if suffix == ".onnx" else export_tflite

        def write(path):
            export(student(), path, precision="float32")

        return (in_file(suffix, write),)

    return files


def run_model(path):
    """Open an exported file and run it once."""
    from distilpose_keras.formats.runtimes import open_runtime

    runtime = open_runtime(path, num_threads=1)
    runtime.run(np.zeros((1, *runtime.input_size, 3), np.uint8))


def box_files():
    rows = [
        {
            "image_id": n,
            "category_id": 1,
            "bbox": [1.5, 2, 30, 20],
            "score": 0.5 + n / 9,
        }
        for n in range(4)
    ]
    named = [{"file_name": "3.png", "bbox": [0, 0, 5, 5]}]
    return json.dumps(rows).encode(), json.dumps(named).encode()


def read_boxes(path):
    from distilpose_keras.detection import BoxFile
    from distilpose_keras.pictures import Picture

    boxes, scores = BoxFile(path).find(
        Picture("3.png", 3, np.zeros((40, 56, 3), np.uint8))
    )
    assert boxes.shape == (len(scores), 4) and np.isfinite(boxes).all()


def annotation_files():
    names = ["nose", "left_eye", "right_eye"]
    category = {"id": 1, "name": "person", "keypoints": names, "skeleton": [[1, 2]]}
    images = [
        {"id": n, "file_name": f"{n}.jpg", "width": 56, "height": 40} for n in (1, 2)
    ]
    annotations = [
        {
            "id": n,
            "image_id": 1 + n % 2,
            "category_id": 1,
            "bbox": [1, 2, 30, 20],
            "area": 600,
            "iscrowd": 0,
            "num_keypoints": 2,
            "keypoints": [5, 6, 2, 8, 9, 1, 0, 0, 0],
        }
        for n in range(3)
    ]
    whole = {"images": images, "annotations": annotations, "categories": [category]}
    return (json.dumps(whole).encode(),)


def read_annotations(path):
    from distilpose_keras.data.coco import load_people

    people = load_people(path, path.parent)
    for index in range(len(people)):
        people[index]


@functools.cache
def videos():
    files = []
    for suffix, codec in ((".avi", "MJPG"), (".mp4", "mp4v"), (".mkv", "mp4v")):

        def write(path, codec=codec):
            fourcc = cv2.VideoWriter_fourcc(*codec)
            writer = cv2.VideoWriter(str(path), fourcc, 25, (56, 40))
            for shift in range(6):
                writer.write(np.roll(picture().astype(np.uint8), shift, 1))
            writer.release()

        files.append(in_file(suffix, write))
    return tuple(files)


def read_video(path):
    from distilpose_keras.pictures import PictureSource

    source = PictureSource([path], max_frames=20)
    assert len(source) >= 1
    for picture in source:
        assert (picture.image is None) == (picture.error is not None)


KINDS = {
    "jpeg": Kind(".jpg", jpegs, read_picture, native=True),
    "png": Kind(
        ".png", lambda: (*images(".png"), turned(".png")), read_picture, native=True
    ),
    "webp": Kind(
        ".webp", lambda: (*images(".webp"), turned(".webp")), read_picture, native=True
    ),
    "bmp": Kind(".bmp", lambda: images(".bmp"), read_picture, native=True),
    "tiff": Kind(".tif", lambda: images(".tiff"), read_picture, native=True),
    "video": Kind(".avi", videos, read_video, native=True),
    "keras": Kind(
        ".keras", keras_files, read_model, (damaged, damaged_member), native=True
    ),
    "torch": Kind(".pth", checkpoints, read_checkpoint),
    "torch_inside": Kind(
        ".pth", lambda: checkpoints()[:1], read_checkpoint, (damaged_member,)
    ),
    "npz": Kind(".npz", npz_files, read_checkpoint, (damaged, damaged_member)),
    "safetensors": Kind(
        ".safetensors", safetensors_files, read_checkpoint, native=True
    ),
    "tflite": Kind(".tflite", exported(".tflite"), run_model, native=True),
    "onnx": Kind(".onnx", exported(".onnx"), run_model, native=True),
    "boxes": Kind(".json", box_files, read_boxes, (damaged, damaged_json)),
    "annotations": Kind(
        ".json", annotation_files, read_annotations, (damaged, damaged_json)
    ),
}


def complaint(kind, path):
    """What is wrong with how a damaged file is read, or None.

    It must be read, or refused by a `ValueError` or an `OSError` of one line.
    """
    try:
        kind.read(path)
    except (ValueError, OSError) as error:
        text = str(error)
        if "\n" in text.strip():
            return f"more than one line: {text[:300]!r}"
        if len(text) > 1000:
            return f"{len(text)} characters: {text[:200]!r}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None
