"""ONNX graphs of one convolution or one linear map, and what they compute."""

import numpy as np
import onnxruntime
from onnx.helper import make_node

from tests.export.bare import onnx_model

RNG = np.random.default_rng(0)
IMAGE = RNG.uniform(-1, 3, (1, 8, 6, 5)).astype("float32")
KERNEL = RNG.normal(size=(4, 8, 3, 3)).astype("float32")
BIAS = RNG.normal(size=4).astype("float32")
TOKENS = RNG.uniform(-1, 3, (1, 7, 16)).astype("float32")
WEIGHTS = RNG.normal(size=(16, 8)).astype("float32")


def run(proto, image):
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    return session.run(["keypoints"], {"image": image})[0]


def convolution(kernel=KERNEL, image=IMAGE):
    node = make_node(
        "Conv", ["image", "kernel", "bias"], ["keypoints"], pads=[1, 0, 1, 0]
    )
    size = (1, 4, image.shape[2], image.shape[3] - 2)
    constants = {"kernel": kernel, "bias": BIAS}
    outputs = {"keypoints": size}
    return onnx_model([node], image=image.shape, outputs=outputs, constants=constants)


def linear(weights=WEIGHTS):
    nodes = [make_node("MatMul", ["image", "weights"], ["keypoints"])]
    return onnx_model(
        nodes,
        image=TOKENS.shape,
        outputs={"keypoints": (1, 7, weights.shape[1])},
        constants={"weights": weights},
    )


def convolved(image, kernel, bias):
    """Convolve (1, C, H, W), one row of zeros above and below."""
    padded = np.pad(image.astype("float64"), ((0, 0), (0, 0), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded[0], (3, 3), (1, 2))
    return np.einsum("chwij,ocij->ohw", windows, kernel)[None] + bias[:, None, None]


def steps_of(rows):
    """The step of each row (out, K): 127 make its largest weight, or pair."""
    found = []  # of a pair only weights of one sign count together
    for row in rows:
        pairs = [row[i : i + 2] for i in range(0, len(row), 2)]
        of_one_sign = [
            abs(sum(w for w in p if w * s > 0)) for p in pairs for s in (1, -1)
        ]
        found.append(max(*np.abs(row), *of_one_sign) / 127)
    return np.array(found)


def channels_last(kernel):
    """(out, C, h, w) -> (out, h * w * C), as integer kernels read it."""
    return kernel.transpose(0, 2, 3, 1).reshape(len(kernel), -1)
