"""The last step of every export: the runtime loads the file and agrees with the model.

Converters report success for files that no runtime opens. A file gets its final name
only after this check.
"""

from typing import Any

import numpy as np

from distilpose_keras.files import atomic_path
from distilpose_keras.formats.metadata import read_metadata, write_sidecar
from distilpose_keras.formats.runtimes import open_runtime
from distilpose_keras.formats.seal import sealed
from distilpose_keras.types import FilePath, Size

# Largest mean difference to the model, in units of the crop and of the scores (which
# are of order 1). Float files only round; int8 files of useful models stay far below.
TOLERANCES = {"float32": 1e-4, "float16": 2e-3, "int8": 0.03, "int8-full": 0.06}
# Of the largest difference, for the files that only round.
LARGEST = {"float32": 1e-3, "float16": 2e-2}
CROPS = 4


class ExportError(ValueError):
    """A converted file does not do what its model does."""


def write_checked(
    content: bytes,
    path: FilePath,
    model: Any,
    precision: str,
    crops: np.ndarray | None = None,
) -> None:
    """Write a finished file, and its metadata beside it, if it does what it should.

    Args:
        content: bytes of the file.
        path: where it goes.
        model: the `PoseModel` it was made of.
        precision: a key of `TOLERANCES`.
        crops: (N, H, W, 3) uint8 RGB to compare on; smooth noise by default.

    Raises:
        ExportError: if the file cannot be run or disagrees with the model.
        OSError: if it cannot be written. Either way nothing appears under its name.
    """
    with atomic_path(path) as temporary:
        temporary.write_bytes(sealed(content, temporary.suffix))
        check_reproduces(temporary, model, precision, crops)
    write_sidecar(path, read_metadata(path))


def check_reproduces(
    path: FilePath, model: Any, precision: str, crops: np.ndarray | None = None
) -> None:
    """Run an exported file and its model on the same crops.

    Args:
        path: the file.
        model: the `PoseModel` it was made of.
        precision: a key of `TOLERANCES`.
        crops: (N, H, W, 3) uint8 RGB; smooth noise by default.

    Raises:
        ExportError: if the runtime cannot load the file, or an output differs by
            more than its precision explains.
    """
    if crops is None:
        crops = smooth_noise(CROPS, model.pose_config.input_size)
    crops = crops[:CROPS]
    try:
        found = open_runtime(path).run(crops)
    except (ValueError, RuntimeError) as error:
        raise ExportError(f"the {precision} file cannot be run: {error}") from error
    for name, difference in _differences(found, open_runtime(model), crops).items():
        mean, largest = difference.mean(), difference.max()
        if not (
            mean <= TOLERANCES[precision] and largest <= LARGEST.get(precision, np.inf)
        ):
            raise ExportError(
                f"the {precision} file does not reproduce the model: {name} differ by "
                f"{mean:.2g} on average (at most {TOLERANCES[precision]:.2g} expected) "
                f"and by up to {largest:.2g}"
            )


def _differences(found, runtime, crops):
    """How far the outputs of a file are from those of its model, by output.

    The peak of a heatmap jumps where two are equally high. So for a model of heatmaps
    the keypoints of the file are judged by how much lower the map is there.
    """
    codec, outputs = runtime.codec, runtime.run(crops)
    keypoints, scores = codec.decode(outputs)
    differences = {"scores": np.abs(found["scores"][..., 0] - scores)}
    there = codec.scores_at(outputs, found["keypoints"])
    if there is None:
        return {"keypoints": np.abs(found["keypoints"] - keypoints), **differences}
    spread = max(1.0, float(np.abs(scores).max()))
    differences = {"keypoints": scores - there, **differences}
    return {name: value / spread for name, value in differences.items()}


def smooth_noise(count: int, input_size: Size, seed: int = 0) -> np.ndarray:
    """Draw (count, H, W, 3) uint8 crops of coloured blotches 16 pixels wide."""
    height, width = input_size
    rng = np.random.default_rng(seed)
    grid = rng.integers(0, 256, (count, -(-height // 16), -(-width // 16), 3))
    blotches = grid.repeat(16, axis=1).repeat(16, axis=2).astype(np.uint8)
    return np.ascontiguousarray(blotches[:, :height, :width])
