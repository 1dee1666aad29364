"""The record of a run: what was typed, with which code and versions."""

import json
import platform
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path

import keras

from distilpose_keras.files import remove_partial, write_json
from distilpose_keras.machine import git_revision, installed

RECORD = "run.json"
PACKAGES = ("distilpose-keras", "keras", "tensorflow", "jax", "torch", "numpy")


def open_run(folder, config, *, resume=False, overwrite=False):
    """Make or take up a run folder and write its record, ``run.json``.

    What a killed process had begun to write there is removed.

    Args:
        folder: of the run.
        config: JSON values that determine the result. A resumed run must have the
            same.
        resume: take up the run in ``folder``, if there is one.
        overwrite: remove the run in ``folder``, if there is one.

    Returns:
        Path of the folder.

    Raises:
        ValueError: if the folder is in use and neither was asked for, if it holds
            something other than a run, or if the run to resume had another ``config``.
    """
    folder = Path(folder)
    record = folder / RECORD
    config = json.loads(json.dumps(config))
    start = {"time": _now(), "command": sys.argv, **environment()}
    # Hidden: what a process that was killed had begun to write.
    if folder.exists() and any(not p.name.startswith(".") for p in folder.iterdir()):
        if not resume and not overwrite:
            raise ValueError(
                f"the output folder {folder} is in use; --resume goes on with its run, "
                "--overwrite replaces it"
            )
        if not record.is_file():
            raise ValueError(
                f"{folder} holds no run: it has no {RECORD}. Choose another folder"
            )
        if resume:
            return _resume(folder, config, start)
        shutil.rmtree(folder)
    remove_partial(folder)
    write_json(record, {"config": config, "starts": [start]})
    return folder


def environment():
    """Return versions, platform and git revision, as JSON values."""
    return {
        "backend": keras.backend.backend(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "versions": installed(PACKAGES),
        "git": git_revision(),
    }


def check_run(folder, config):
    """Check that a folder holds a run with this configuration.

    Args:
        folder: of the run.
        config: JSON values, see `open_run`.

    Returns:
        The record of the run.

    Raises:
        ValueError: if it holds no run, or one with another configuration.
    """
    config = json.loads(json.dumps(config))
    record = Path(folder) / RECORD
    try:
        document = json.loads(record.read_text())
        recorded, _ = document["config"], document["starts"]
        recorded.pop("strategy", None)  # earlier records have it: a run may change it
    except OSError as error:
        raise ValueError(
            f"{record} cannot be read: all processes of a run need the same folder"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{record} is not the record of a run") from error
    changed = sorted(
        key for key in {*recorded, *config} if recorded.get(key) != config.get(key)
    )
    if changed:
        difference = ", ".join(
            f"{key} {recorded.get(key)!r} -> {config.get(key)!r}" for key in changed
        )
        raise ValueError(f"the run in {folder} was started otherwise: {difference}")
    return document


def _resume(folder, config, start):
    """Add a start to the record, if it is of the same run."""
    document = check_run(folder, config)
    remove_partial(folder)
    starts = [*document["starts"], start]
    write_json(folder / RECORD, {"config": document["config"], "starts": starts})
    return folder


def _now():
    return datetime.now(UTC).isoformat(timespec="seconds")
