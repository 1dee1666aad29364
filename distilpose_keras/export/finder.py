"""Person finders as ONNX and TFLite files."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from distilpose_keras.export.convert import float_onnx, float_tflite
from distilpose_keras.export.reproduce import ExportError, smooth_noise
from distilpose_keras.files import atomic_path
from distilpose_keras.formats.finders import open_finder
from distilpose_keras.formats.metadata import describe_finder, embed_onnx, write_sidecar
from distilpose_keras.formats.seal import sealed
from distilpose_keras.types import FilePath

if TYPE_CHECKING:
    from distilpose_keras.models.finder import FinderModel

PRECISIONS = ("float32", "float16")
# Largest difference to the model: of boxes as fractions of the input where the score
# is above `SURE`, and of scores.
TOLERANCES = {"float32": 1e-3, "float16": 2e-2}
SURE = 0.05


def export_finder(
    model: "FinderModel", path: FilePath, *, precision: str = "float32"
) -> None:
    """Write a person finder as an ONNX or TFLite file, and its metadata beside it.

    The input `image` takes RGB 0..255 as float32, the outputs are `boxes` and `scores`,
    see `formats.finders`. An ONNX file takes any batch size, a TFLite file one picture.
    ``float16`` stores the weights in half the space and computes in float32. The file
    appears under its name only after its runtime reproduced the model's outputs.

    Args:
        model: a `FinderModel`, trained on any backend.
        path: ends in ``.onnx`` or ``.tflite``.
        precision: one of `PRECISIONS`.

    Raises:
        ValueError: if the suffix or the precision is unknown.
        ExportError: (a ValueError) if the file does not reproduce the model.
    """
    path = Path(path)
    writers = {".onnx": _onnx, ".tflite": _tflite}
    if path.suffix not in writers:
        raise ValueError(f"a finder's file must end in .onnx or .tflite: {path}")
    if precision not in PRECISIONS:
        raise ValueError(
            f"precision must be one of {', '.join(PRECISIONS)}. Received: {precision!r}"
        )
    how = {"runtime": path.suffix[1:], "precision": precision}
    document = describe_finder(model, **how)
    content = writers[path.suffix](model, precision, document)
    with atomic_path(path) as temporary:
        temporary.write_bytes(sealed(content, temporary.suffix))
        _check_reproduces(temporary, model, precision)
    write_sidecar(path, document)


def _onnx(model, precision, document):
    import onnx

    from distilpose_keras.export.onnx.graph import tidy
    from distilpose_keras.export.onnx.half import store_half

    proto = onnx.load_from_string(float_onnx(model))
    tidy(proto)
    _spell_doubling(proto.graph)
    if precision == "float16":
        store_half(proto.graph)
    embed_onnx(proto, document)
    onnx.checker.check_model(proto, full_check=True)
    return proto.SerializeToString()


def _spell_doubling(graph):
    """Let a nearest-neighbour resize, by a factor of two, be what all runtimes know.

    tf2onnx writes a mode that was deprecated with opset 13; of a doubling they agree.
    """
    wanted = {
        "coordinate_transformation_mode": b"asymmetric",
        "nearest_mode": b"floor",
    }
    for node in graph.node:
        if node.op_type == "Resize":
            for attribute in node.attribute:
                if attribute.name in wanted:
                    attribute.s = wanted[attribute.name]


def _tflite(model, precision, document):
    import json

    from distilpose_keras.export.tflite.quantize import float16_weights
    from distilpose_keras.formats.names import ENTRY
    from distilpose_keras.formats.tflite_file import attach, name_inputs_and_outputs

    content = float_tflite(model)
    if precision == "float16":
        content = float16_weights(content)
    return attach(
        name_inputs_and_outputs(content),
        entries={ENTRY: json.dumps(document).encode()},
        files={},
    )


def _check_reproduces(path, model, precision):
    """Raise an ExportError unless a file does what its model does."""
    picture = smooth_noise(1, model.finder_config.input_size)
    try:
        found = open_finder(path).run(picture)
    except (ValueError, RuntimeError) as error:
        raise ExportError(f"the {precision} file cannot be run: {error}") from error
    expected = open_finder(model).run(picture)
    sure = np.maximum(expected["scores"], found["scores"]) > SURE
    boxes = np.abs(found["boxes"] - expected["boxes"]).max(axis=-1)
    largest = {
        "scores": np.abs(found["scores"] - expected["scores"]).max(),
        "boxes": boxes[sure].max(initial=0.0),
    }
    for name, difference in largest.items():
        if not difference <= TOLERANCES[precision]:
            raise ExportError(
                f"the {precision} file does not reproduce the finder: {name} differ by "
                f"up to {difference:.2g}"
            )
