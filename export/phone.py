"""The path of a camera frame as a phone takes it, without this library.

From a person's box to keypoints in the frame with LiteRT, NumPy and OpenCV alone.
README.md beside it shows the same steps in Kotlin, with the numbers printed here.
"""

import argparse
import json
import zipfile

import cv2
import numpy as np
from ai_edge_litert.interpreter import Interpreter

PADDING = 1.25
EXAMPLES = """example:
  python export/phone.py student.tflite frame.jpg --box 212 60 180 360
"""


def fit_crop(box, input_height, input_width):
    """The part of the frame that the model sees: center x, y, width and height."""
    left, top, width, height = box
    aspect = input_width / input_height
    if width > aspect * height:
        height = width / aspect
    else:
        width = height * aspect
    center_x, center_y = left + box[2] / 2, top + box[3] / 2
    return center_x, center_y, width * PADDING, height * PADDING


def frame_to_crop(crop, input_height, input_width):
    """Scale and shift: crop pixel = scale * frame pixel + shift."""
    center_x, center_y, width, _ = crop
    scale = input_width / width
    return (
        scale,
        input_width / 2 - scale * center_x,
        input_height / 2 - scale * center_y,
    )


def crop_to_frame(keypoint, crop):
    """A keypoint in [0, 1] of the crop -> pixels of the frame."""
    center_x, center_y, width, height = crop
    x, y = keypoint
    return center_x + (x - 0.5) * width, center_y + (y - 0.5) * height


def read_labels(path):
    """The keypoints' names, which are zipped into the file."""
    with zipfile.ZipFile(path) as archive:
        return archive.read("keypoints.txt").decode().splitlines()


def run_model(path, crop_rgb):
    """Keypoints (K, 2) in [0, 1] of the crop and scores (K,)."""
    interpreter = Interpreter(path)
    interpreter.allocate_tensors()
    (image,) = interpreter.get_input_details()
    interpreter.set_tensor(image["index"], to_tensor(crop_rgb[None], image))
    interpreter.invoke()
    keypoints, scores = (
        to_numbers(interpreter.get_tensor(output["index"]), output)
        for output in interpreter.get_output_details()
    )
    return keypoints[0], scores[0, :, 0]


def to_tensor(values, details):
    """Values as the input wants them: float32, or int8 with scale and zero point."""
    if details["dtype"] == np.float32:
        return values.astype(np.float32)
    scale, zero_point = details["quantization"]
    steps = np.rint(values / np.float32(scale)) + zero_point
    return np.clip(steps, -128, 127).astype(np.int8)


def to_numbers(tensor, details):
    """What an output means: itself, or (int8 - zero point) * scale."""
    if details["dtype"] == np.float32:
        return tensor
    scale, zero_point = details["quantization"]
    return (tensor.astype(np.float32) - zero_point) * np.float32(scale)


def find_pose(path, frame_rgb, box):
    """Names, keypoints in pixels of the frame and scores of the person in a box."""
    details = Interpreter(path).get_input_details()[0]
    _, input_height, input_width, _ = details["shape"]
    crop = fit_crop(box, input_height, input_width)
    scale, shift_x, shift_y = frame_to_crop(crop, input_height, input_width)
    matrix = np.array([[scale, 0, shift_x], [0, scale, shift_y]])
    crop_rgb = cv2.warpAffine(frame_rgb, matrix, (int(input_width), int(input_height)))
    keypoints, scores = run_model(path, crop_rgb)
    found = [crop_to_frame(keypoint, crop) for keypoint in keypoints]
    return read_labels(path), np.array(found), scores


def main():
    """Run the example on a picture."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", help=".tflite file")
    parser.add_argument("frame", help="picture")
    parser.add_argument(
        "--box", nargs=4, type=float, required=True, help="left top width height"
    )
    arguments = parser.parse_args()
    frame = cv2.cvtColor(cv2.imread(arguments.frame), cv2.COLOR_BGR2RGB)
    names, keypoints, scores = find_pose(arguments.model, frame, arguments.box)
    for name, (x, y), score in zip(names, keypoints, scores, strict=True):
        print(json.dumps([name, round(x, 1), round(y, 1), round(float(score), 3)]))


if __name__ == "__main__":
    main()
