"""What every exported file says about itself, and how it is read back.

The metadata is one JSON document: the keypoint schema, the input, the model and how
well it scored. It is embedded in the file (TFLite: a metadata buffer; ONNX:
``metadata_props``), both under the name ``distilpose``, and written beside it.
Reading it builds nothing of what the file computes.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distilpose_keras.files import write_json
from distilpose_keras.formats.names import ENTRY, FORMAT
from distilpose_keras.geometry import GEOMETRIES, PLAIN
from distilpose_keras.keypoints import KeypointSchema
from distilpose_keras.person_scores import DEFAULT_PERSON_SCORE, PERSON_SCORES
from distilpose_keras.types import FilePath, Json

if TYPE_CHECKING:
    from distilpose_keras.models.finder import FinderModel
    from distilpose_keras.models.model import PoseModel


REQUIRED = (
    "model",
    "version",
    "runtime",
    "precision",
    "input_size",
    "value_range",
    "schema",
    "outputs",
    "training_data",
    "ap",
)
POSES, FINDING = "poses", "finding people"  # what a model is for
REQUIRED_OF_FINDERS = ("model", "runtime", "precision", "input_size", "threshold")
LARGEST_SIDE = 4096  # of a crop
RUNTIMES = {".tflite": "tflite", ".onnx": "onnx"}
OUTPUTS = {
    "keypoints": "(batch, K, 2): x by the crop's width, y by its height, in [0, 1]",
    "scores": "(batch, K, 1): confidence, larger is surer",
}

FINDER_OUTPUTS = {
    "boxes": "(batch, N, 4): left, top, right, bottom as fractions of the input",
    "scores": "(batch, N): confidence in [0, 1]",
}
DEFAULT_THRESHOLD = 0.3  # of a person finder's scores, where nothing was measured


def describe(model: "PoseModel", *, runtime: str, precision: str) -> Json:
    """Describe the exported file of a model as a JSON-ready dict.

    Args:
        model: a `PoseModel`; its ``metadata`` may hold ``version``,
            ``training_data``, ``ap``, and ``confidence``, False if its scores were
            never trained.
        runtime: ``"tflite"`` or ``"onnx"``.
        precision: the precision the file is written in.
    """
    config = model.pose_config
    return {
        "format": FORMAT,
        "model": config.name,
        "version": str(model.metadata.get("version", "1")),
        "runtime": runtime,
        "precision": precision,
        "input_size": [int(side) for side in config.input_size],
        "geometry": config.geometry.name,
        "channels": "RGB",
        "value_range": [0, 255],
        "outputs": OUTPUTS,
        "schema": config.schema.to_dict(),
        "training_data": model.metadata.get("training_data"),
        "ap": model.metadata.get("ap"),
        "confidence": model.metadata.get("confidence", True),
        "mirror_shift": config.codec.mirror_shift,
        "person_score": config.person_score,
    }


def describe_finder(model: "FinderModel", *, runtime: str, precision: str) -> Json:
    """Describe the exported file of a person finder; see `describe`.

    Args:
        model: a `FinderModel`; its ``metadata`` may hold ``version``, ``threshold``,
            and ``training_data``.
        runtime: ``"tflite"`` or ``"onnx"``.
        precision: the precision the file is written in.
    """
    return {
        "format": FORMAT,
        "task": FINDING,
        "model": model.finder_config.name,
        "version": str(model.metadata.get("version", "1")),
        "runtime": runtime,
        "precision": precision,
        "input_size": list(model.finder_config.input_size),
        "channels": "RGB",
        "value_range": [0, 255],
        "outputs": FINDER_OUTPUTS,
        "training_data": model.metadata.get("training_data"),
        "threshold": model.metadata.get("threshold", DEFAULT_THRESHOLD),
    }


def geometry_of(document):
    """Return the `CropGeometry` that a file's model is shown; plain if it says none.

    Raises:
        ValueError: if there is no geometry of that name.
    """
    name = document.get("geometry", PLAIN.name)
    if not isinstance(name, str) or name not in GEOMETRIES:
        raise ValueError(f"geometry {str(name)[:40]!r}; known: {', '.join(GEOMETRIES)}")
    return GEOMETRIES[name]


def embed_onnx(proto: Any, document: Json) -> None:
    """Store the metadata in an ONNX ``ModelProto``, in place."""
    proto.metadata_props.add(key=ENTRY, value=json.dumps(document))


def sidecar_path(path: FilePath) -> Path:
    """Return the path of the JSON beside an exported file: ``NAME.tflite.json``."""
    path = Path(path)
    return path.with_name(path.name + ".json")


def write_sidecar(path: FilePath, document: Json) -> None:
    """Write the metadata beside the exported file."""
    write_json(sidecar_path(path), document)


def read_metadata(path: FilePath, task: str = POSES) -> Json:
    """Read the metadata embedded in an exported ``.tflite`` or ``.onnx`` file.

    Args:
        path: the file; the JSON beside it is not consulted.
        task: what its model has to be for, `POSES` or `FINDING`.

    Returns:
        The dict that `describe` or `describe_finder` made.

    Raises:
        ValueError: if the file is missing, truncated, or not one of ours; one line
            that names the file.
    """
    path = Path(path)
    readers = {".tflite": _read_tflite, ".onnx": _read_onnx}
    if path.suffix not in readers:
        raise ValueError(f"{path}: expected a .tflite or .onnx file")
    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    text = readers[path.suffix](path)
    if text is None:
        raise ValueError(
            f"{path}: not an export of distilpose-keras (it has no {ENTRY!r} metadata)"
        )
    return _check(path, text, task)


def _check(path, text, task):
    """Parse and validate the metadata document of ``path``."""
    try:
        document = json.loads(text)
        if document["format"] != FORMAT:
            raise ValueError(f"format {document['format']!r}")
        held = document.get("task", POSES)
        if held != task:
            raise ValueError(f"it must hold a model for {task}. Received: {held!r}")
        required = REQUIRED if task == POSES else REQUIRED_OF_FINDERS
        missing = [key for key in required if key not in document]
        if missing:
            raise ValueError(f"missing {missing}")
        _check_size(document["input_size"])
        if task == POSES:
            KeypointSchema.from_dict(document["schema"])
            geometry_of(document)
            _check_rules(document)
    # Whatever values of other types than ours make the schema raise.
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(
            f"{path}: its {ENTRY!r} metadata is invalid: {reason}"
        ) from None
    expected = RUNTIMES[path.suffix]
    if document["runtime"] != expected:
        raise ValueError(
            f"{path}: a {path.suffix} file must hold a {expected!r} model. "
            f"Received: {document['runtime']!r}"
        )
    return document


def _check_size(size):
    """Check that an input size is two numbers of pixels that a crop may have."""
    height, width = size
    for side in (height, width):
        if type(side) is not int or not 1 <= side <= LARGEST_SIDE:
            raise ValueError(f"input size {str(size)[:40]}")


def _check_rules(document):
    """Check what a file may say of flip tests and of persons' scores."""
    shift = document.get("mirror_shift", 0.0)
    if type(shift) not in (int, float) or not abs(shift) < 1:
        raise ValueError(f"mirror shift {str(shift)[:40]}")
    rule = document.get("person_score", DEFAULT_PERSON_SCORE)
    if rule not in PERSON_SCORES:
        raise ValueError(f"unknown person score {str(rule)[:40]!r}")


def _read_tflite(path):
    from distilpose_keras.formats.tflite_file import read_entry

    try:
        return read_entry(path.read_bytes(), ENTRY)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _read_onnx(path):
    from distilpose_keras.formats.onnx_file import read_entry

    try:
        return read_entry(path.read_bytes(), ENTRY)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
