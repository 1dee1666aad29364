"""Small commands to disturb: prediction, training, export. Each runs in seconds."""

import os
import struct
import sys
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).parents[2]
PICTURES, FRAMES = 12, 20


def prepare(folder):
    """Write the inputs of all commands into a folder."""
    rng = np.random.default_rng(0)
    pictures = folder / "pictures"
    pictures.mkdir()
    for number in range(1, PICTURES + 1):
        noise = rng.integers(0, 256, (120, 160, 3)).astype(np.uint8)
        cv2.imwrite(str(pictures / f"{number}.jpg"), noise)
    codec = cv2.VideoWriter_fourcc(*"mp4v")
    video = cv2.VideoWriter(str(folder / "walk.avi"), codec, 10, (160, 120))
    for _ in range(FRAMES):
        video.write(rng.integers(0, 256, (120, 160, 3)).astype(np.uint8))
    video.release()
    (folder / "student.onnx").write_bytes(onnx_student())


def onnx_student():
    """An ONNX file that answers as a student does: from the mean color of a crop."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    from distilpose_keras.formats.metadata import embed_onnx
    from distilpose_keras.formats.seal import sealed
    from distilpose_keras.keypoints import COCO_17

    rng = np.random.default_rng(0)
    constants = {
        "axes": np.array([1, 2]),
        "to_keypoints": (rng.normal(size=(3, 34)) / 255).astype(np.float32),
        "to_scores": (rng.random((3, 17)) / 255).astype(np.float32),
        "two": np.array([-1, 17, 2]),
        "one": np.array([-1, 17, 1]),
    }
    node = helper.make_node
    nodes = [
        node("ReduceMean", ["image"], ["color"], axes=[1, 2], keepdims=0),
        node("MatMul", ["color", "to_keypoints"], ["flat"]),
        node("Sigmoid", ["flat"], ["inside"]),
        node("Reshape", ["inside", "two"], ["keypoints"]),
        node("MatMul", ["color", "to_scores"], ["flat_scores"]),
        node("Reshape", ["flat_scores", "one"], ["scores"]),
    ]

    def value(name, *shape):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *shape])

    graph = helper.make_graph(
        nodes,
        "student",
        [value("image", 64, 48, 3)],
        [value("keypoints", 17, 2), value("scores", 17, 1)],
        [numpy_helper.from_array(a, k) for k, a in constants.items() if k != "axes"],
    )
    proto = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )
    document = {"format": "distilpose-keras", "model": "student", "version": "1"}
    document |= {"runtime": "onnx", "precision": "float32", "input_size": [64, 48]}
    document |= {"value_range": [0, 255], "outputs": {}, "training_data": None}
    embed_onnx(proto, document | {"schema": COCO_17.to_dict(), "ap": None})
    onnx.checker.check_model(proto)
    return sealed(proto.SerializeToString(), ".onnx")


def predict(folder, out):
    """The main function of prediction, and its arguments."""
    # Imported here, once for all the processes that are forked.
    import onnxruntime  # noqa: F401

    import distilpose_keras.drawing
    import distilpose_keras.predictor  # noqa: F401
    from distilpose_keras.commands import cli
    from distilpose_keras.commands import predict as command

    parser = cli.ArgumentParser()
    command.add_arguments(parser)

    def main(argv):
        command.run(parser.parse_args(argv))

    inputs = [folder / "pictures", folder / "walk.avi"]
    arguments = [folder / "student.onnx", *inputs, "--whole-image", "--out", out]
    return main, [str(argument) for argument in arguments]


def train(folder, out):
    """A training of the tiny pair, with a checkpoint every second step."""
    sys.path.insert(0, str(ROOT / "tests" / "training"))
    import run_training

    return lambda argv: run_training.run(out, epochs=2) and None, []


def export(folder, out):
    """The last step of every export: a finished file that is checked and written."""
    import onnxruntime  # noqa: F401

    from distilpose_keras.export import reproduce

    def main(argv):
        content = (folder / "student.onnx").read_bytes()
        # What the file is compared with: itself.
        opened = reproduce.open_runtime
        reproduce.open_runtime = lambda path: opened(folder / "student.onnx")
        for number in range(20):
            path = out / f"{number}.onnx"
            reproduce.write_checked(content, path, None, "float32", _crops())

    return main, []


def _crops():
    return np.zeros((2, 64, 48, 3), np.uint8)


def whole(path):
    """Whether a result is what its name says."""
    if path.suffix == ".jpg":
        from distilpose_keras.data.images import read_image

        return read_image(path).shape == (120, 160, 3)
    if path.suffix == ".mp4":
        from distilpose_keras.pictures import PictureSource

        return all(picture.error is None for picture in PictureSource([path]))
    if path.suffix == ".json":
        import json

        return json.loads(path.read_text()) is not None
    if path.suffix == ".jsonl":
        import json

        return all(json.loads(line) for line in path.read_text().splitlines())
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            return all(np.isfinite(arrays[name]).all() for name in arrays)
    if ".tfevents." in path.name:
        return events_hold(path.read_bytes())
    if path.suffix == ".onnx":
        from distilpose_keras.formats.seal import seal_holds

        return seal_holds(path)
    return os.path.getsize(path) > 0


def events_hold(content):
    """Whether an event file is one: a log, of which all but the last record are whole.

    It is written as training goes on, so its end may be missing, and all of it before
    the first second is over.
    """
    from tensorboardX.record_writer import masked_crc32c

    while len(content) >= 12:
        head, (length, check) = content[:8], struct.unpack("<QI", content[:12])
        if masked_crc32c(head) != check:
            return False
        record, after = content[12 : 12 + length], content[12 + length : 16 + length]
        if len(after) == 4 and masked_crc32c(record) != struct.unpack("<I", after)[0]:
            return False
        content = content[16 + length :]
    return True


COMMANDS = {"predict": predict, "train": train, "export": export}
