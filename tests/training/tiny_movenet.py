"""Random weights of MoveNet Lightning's shapes, in a file as it is published."""

import json

import numpy as np

PREFIX = "StatefulPartitionedCall/"
EXTRACTOR = f"{PREFIX}center_net_mobile_net_v2fpn_feature_extractor/model_1"
HEAD = f"{PREFIX}kpt_heatmap_0"
# Output channels and expansion of every block of MobileNetV2, and its strides.
BLOCKS = (
    *((16, 1, 1), (24, 6, 2), (24, 6, 1), (32, 6, 2), (32, 6, 1), (32, 6, 1)),
    *((64, 6, 2), (64, 6, 1), (64, 6, 1), (64, 6, 1), (96, 6, 1), (96, 6, 1)),
    *((96, 6, 1), (160, 6, 2), (160, 6, 1), (160, 6, 1), (320, 6, 1)),
)


def published_constants(rng):
    """Return {name: array}, kernels (h, w, in, out)."""
    constants = {"StatefulPartitionedCall/concat/axis": np.array(2, "int32")}

    def kernel(name, *shape):
        fan_in = shape[0] * shape[1] * (shape[2] if shape[3] > 1 else 1)
        constants[name] = rng.normal(0, fan_in**-0.5, shape).astype("float32")

    def bias(name, width):
        constants[name] = rng.normal(0, 0.3, width).astype("float32")

    def folded(name, kind, *shape):
        kernel(f"{name}/{kind}_weights", *shape)
        bias(f"{name}/{kind}_bn_offset", shape[2] if shape[3] == 1 else shape[3])

    def plain(name, *shape):
        kernel(f"{name}/Conv2D/ReadVariableOp", *shape)
        bias(f"{name}/BiasAdd/ReadVariableOp", shape[-1])

    trunk = f"{EXTRACTOR}/model"
    folded(f"{trunk}/Conv1", "Conv2D", 3, 3, 3, 32)
    width = 32
    for block, (out, expansion, _) in enumerate(BLOCKS):
        name = f"{trunk}/block_{block}" if block else f"{trunk}/expanded_conv"
        inner = width * expansion
        if expansion > 1:
            folded(f"{name}_expand", "Conv2D", 1, 1, width, inner)
        folded(f"{name}_depthwise", "depthwise", 3, 3, inner, 1)
        folded(f"{name}_project", "Conv2D", 1, 1, inner, out)
        width = out
    folded(f"{trunk}/Conv_1", "Conv2D", 1, 1, 320, 1280)
    plain(f"{EXTRACTOR}/conv2d", 1, 1, 1280, 64)
    for number, width in ((1, 64), (2, 32), (3, 24)):
        plain(f"{EXTRACTOR}/conv2d_{number}", 1, 1, width, width)
    for number, (width, out) in enumerate(((64, 32), (32, 24), (24, 24))):
        name = f"{EXTRACTOR}/separable_conv2d" + (f"_{number}" if number else "")
        kernel(f"{name}/separable_conv2d/ReadVariableOp", 3, 3, width, 1)
        folded(name, "separable_conv2d", 1, 1, width, out)
    name = f"{HEAD}/separable_conv2d_4"
    kernel(f"{name}/separable_conv2d/ReadVariableOp", 3, 3, 24, 1)
    kernel(f"{name}/separable_conv2d/ReadVariableOp_1", 1, 1, 24, 96)
    bias(f"{name}/BiasAdd/ReadVariableOp", 96)
    plain(f"{HEAD}/conv2d_5", 1, 1, 96, 17)
    return constants


def write_graph(path, constants, dtype="float16"):
    """Write a TensorFlow.js graph model: JSON, and two binary files beside it."""
    entries, data = [], b""
    for name, value in constants.items():
        entry = {"name": name, "shape": list(value.shape), "dtype": str(value.dtype)}
        if value.dtype == "float32" and dtype != "float32":
            entry["quantization"] = {"dtype": dtype}
            value = value.astype(dtype)
        entries.append(entry)
        data += value.tobytes()
    names = [f"{path.stem}-{part}.bin" for part in (1, 2)]
    (path.parent / names[0]).write_bytes(data[:1001])
    (path.parent / names[1]).write_bytes(data[1001:])
    groups = [{"paths": names, "weights": entries}]
    path.write_text(json.dumps({"modelTopology": {}, "weightsManifest": groups}))
