"""Checkpoints from which a killed training goes on as if nothing had happened.

A checkpoint is two files: ``step-00000120.npz`` with every variable of the training as
an array, and ``step-00000120.json`` with the position in the data, the state of
callbacks and the SHA-256 of the first file. Both are written under another name and
renamed, the second after the first: a checkpoint without its ``.json`` does not exist.
Nothing in it belongs to one backend.
"""

import hashlib
import json
import warnings
from dataclasses import asdict, dataclass, field
from pathlib import Path

import keras
import numpy as np

from distilpose_keras.files import atomic_path, write_json
from distilpose_keras.training.replicas import is_chief

FORMAT = 1
KEPT = 2  # the newest, and one to fall back on


@dataclass(frozen=True)
class Position:
    """Where a training stands, and what its callbacks remember.

    Attributes:
        epoch: the epoch that comes next, or that is under way, counted from 0.
        batch: batches of this epoch that are done.
        step: batches done since the start.
        batches_per_epoch: length of the data set.
        callbacks: JSON values by callback name.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    batches_per_epoch: int = 0
    callbacks: dict = field(default_factory=dict)


class DamagedCheckpoint(ValueError):
    """A checkpoint that is not what was written."""


def save_checkpoint(folder, trainer, position):
    """Write the state of a training and drop all but the newest checkpoints.

    Of several processes all must call this, and one writes.

    Args:
        folder: where the checkpoints are.
        trainer: compiled keras.Model with a built optimizer.
        position: `Position`.

    Returns:
        Path of the ``.npz`` file.
    """
    folder = Path(folder)
    path = folder / f"step-{position.step:08d}.npz"
    arrays = _arrays(trainer)
    if not is_chief(trainer):
        return path
    record = path.with_suffix(".json")
    # A checkpoint of the same step is replaced: until then it must not look whole.
    record.unlink(missing_ok=True)
    with atomic_path(path) as temporary:
        with open(temporary, "wb") as file:
            np.savez(file, **arrays)
        digest = _sha256(temporary)
    document = {"format": FORMAT, "sha256": digest, **asdict(position)}
    write_json(record, document)
    for old in checkpoint_files(folder)[KEPT:]:
        old.with_suffix(".json").unlink(missing_ok=True)
        old.unlink(missing_ok=True)
    return path


def checkpoint_files(folder):
    """Return the ``.npz`` files of complete checkpoints, newest first."""
    records = sorted(Path(folder).glob("step-*.json"), reverse=True)
    return [record.with_suffix(".npz") for record in records]


def restore_checkpoint(folder, trainer):
    """Set all variables of a training from the newest checkpoint that is whole.

    A damaged checkpoint is named in a warning and the one before it used.

    Args:
        folder: where the checkpoints are.
        trainer: compiled keras.Model with a built optimizer.

    Returns:
        The `Position` it was written at, or None if there is no checkpoint.

    Raises:
        ValueError: if all checkpoints are damaged, or are of another model or
            optimizer.
    """
    files = checkpoint_files(folder)
    for path in files:
        try:
            position, arrays = _read(path)
        except DamagedCheckpoint as error:
            warnings.warn(f"{error}; using the checkpoint before it", stacklevel=2)
            continue
        _assign(trainer, arrays, path)
        return position
    if files:
        raise ValueError(f"every checkpoint in {folder} is damaged")
    return None


def _read(path):
    """Return (position, arrays) of a checkpoint, or raise `DamagedCheckpoint`."""
    try:
        document = json.loads(path.with_suffix(".json").read_text())
        expected = document.pop("sha256")
        version = document.pop("format")
        position = Position(**document)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DamagedCheckpoint(f"checkpoint {path} has no valid record") from error
    if version != FORMAT:
        raise ValueError(
            f"checkpoint {path} must have format {FORMAT}. Received: {version}"
        )
    if not path.is_file():
        raise DamagedCheckpoint(f"checkpoint {path} is missing")
    if _sha256(path) != expected:
        raise DamagedCheckpoint(
            f"checkpoint {path} is damaged: its SHA-256 is not the recorded one"
        )
    with np.load(path) as arrays:
        return position, dict(arrays)


def _variables(trainer):
    """Return (group, variables) for all state of a training."""
    optimizer = trainer.optimizer.variables if trainer.optimizer is not None else []
    return (
        ("model", trainer.variables),
        ("optimizer", optimizer),
        ("metrics", trainer.metrics_variables),
    )


def _arrays(trainer):
    """Return every variable as an array, under its group and position."""
    if keras.backend.backend() == "jax":
        trainer.jax_state_sync()
    return {
        f"{group}/{index:05d}": _plain(keras.ops.convert_to_numpy(variable))
        for group, variables in _variables(trainer)
        for index, variable in enumerate(variables)
    }


def _plain(array):
    """Return bfloat16 as float32, which NumPy can store and which loses nothing."""
    return array.astype("float32") if array.dtype.name == "bfloat16" else array


def _assign(trainer, arrays, path):
    """Set every variable, after checking that all fit."""
    targets = {
        f"{group}/{index:05d}": variable
        for group, variables in _variables(trainer)
        for index, variable in enumerate(variables)
    }
    if set(targets) != set(arrays):
        raise ValueError(
            f"checkpoint {path} must hold {len(targets)} variables, as this model and "
            f"optimizer have. Received: {len(arrays)}"
        )
    for key, variable in targets.items():
        if tuple(variable.shape) != arrays[key].shape:
            raise ValueError(
                f"checkpoint {path}: {variable.path} must have shape "
                f"{tuple(variable.shape)}. Received: {arrays[key].shape}"
            )
    for key, variable in targets.items():
        variable.assign(arrays[key])


def _sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
