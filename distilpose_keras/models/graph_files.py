"""Constants of TensorFlow.js graph models: JSON, and binary files beside it."""

import json
import math
from pathlib import Path

import numpy as np

from distilpose_keras.types import FilePath

NUMBERS = {"float32": "<f4", "float16": "<f2", "int32": "<i4", "bool": "?"}


def read_graph_constants(path: FilePath) -> dict[str, np.ndarray]:
    """Return the constants of a graph model by name.

    Args:
        path: ``model.json``; its binary files are looked for in its folder.

    Raises:
        ValueError: if it is no such file, or its binary files are missing or too short.
    """
    path = Path(path)
    try:
        groups = json.loads(path.read_text())["weightsManifest"]
        return _read_groups(groups, path.parent)
    except (
        OSError,
        KeyError,
        TypeError,
        UnicodeDecodeError,
        json.JSONDecodeError,
    ) as e:
        reason = str(e) or type(e).__name__
        raise ValueError(f"{path} is not a TensorFlow.js graph model: {reason}") from e


def _read_groups(groups, folder):
    """Read every group of files and cut it into arrays."""
    constants = {}
    for group in groups:
        # Only files beside the JSON: a path in it does not lead elsewhere.
        files = [folder / Path(name).name for name in group["paths"]]
        data = b"".join(file.read_bytes() for file in files)
        position = 0
        for entry in group["weights"]:
            stored = entry.get("quantization", {}).get("dtype", entry["dtype"])
            if stored not in NUMBERS:
                raise ValueError(f"{entry['name']} is stored as {stored}")
            dtype = np.dtype(NUMBERS[stored])
            count = math.prod(entry["shape"])
            if position + count * dtype.itemsize > len(data):
                raise ValueError(f"{files[-1]} ends before {entry['name']}")
            values = np.frombuffer(data, dtype, count, position)
            position += count * dtype.itemsize
            values = values.reshape(entry["shape"]).astype(entry["dtype"])
            constants[entry["name"]] = values
    return constants
