"""All benchmarks, one after the other, into one file: machine, versions, every row.

The file is a dict: ``machine`` and ``software`` (see `distilpose_keras.machine`),
``date``, and ``runs``, by name a dict of ``command``, ``date``, ``git``, ``load`` (the
machine's mean load of the minute before), ``seconds`` and ``rows``, what the benchmark
returns. In place of rows stands ``error`` or ``left_out``, why there are none.
``quick`` marks rows that are worth nothing. What else the file had stays in it.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from distilpose_keras.benchmarks.processes import environment
from distilpose_keras.benchmarks.runs import chosen_runs
from distilpose_keras.files import write_json
from distilpose_keras.machine import describe_machine, describe_software, git_revision

CALIBRATION = "people"  # rendered: int8 files take the same time whatever their ranges


def run(args):
    """Measure, and return a row for each benchmark: what became of it.

    Each runs in a process of its own, and is in the file as soon as it is over. Those
    that the file has of the same command are not run again.

    Args:
        args: namespace of the arguments of ``distilpose benchmark all``.

    Raises:
        ValueError: if there is no such benchmark, or the file is another one, or of
            another machine or other versions.
    """
    runs = chosen_runs(args.only)
    document = open_document(args.json, overwrite=args.overwrite)
    if args.quick and any(_is_full(entry) for entry in document["runs"].values()):
        raise ValueError(f"{args.json} has full runs, which --quick would replace")
    folders = {"coco": args.coco, "people_real": args.people_real}
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        workplace = _workplace(Path(folder), folders)
        for number, each in enumerate(runs, 1):
            words = each.words(args.quick)
            command = command_line(words)
            kept = document["runs"].get(each.name, {})
            outcome = "kept"
            if "rows" not in kept or kept["command"] != command:
                print(f"{number}/{len(runs)} {command}", flush=True)
                lack = each.lacks(folders)
                entry = {"left_out": lack} if lack else measured(words, workplace)
                outcome = _outcome(entry)
                if "rows" in entry or not _is_full(kept):
                    quick = {"quick": True} if args.quick else {}
                    document["runs"][each.name] = {"command": command, **quick, **entry}
                write_json(args.json, document)
            rows.append({"benchmark": each.name, "outcome": outcome})
    return rows


def open_document(path, *, overwrite=False):
    """Return the document of a file, or a new one; its machine is this one.

    Args:
        path: of the file, which need not exist.
        overwrite: forget the runs that it has.

    Raises:
        ValueError: if it is no such file, or has runs of another machine or of other
            versions.
    """
    here = {"machine": describe_machine(), "software": describe_software()}
    document = {}
    if path.exists():
        try:
            document = json.loads(path.read_text())
            runs = dict(document.get("runs", {}))
        except (ValueError, AttributeError, TypeError) as error:
            raise ValueError(f"{path} holds no benchmarks") from error
        if runs and not overwrite:
            _check_same(path, document, here)
    runs = {} if overwrite else document.get("runs", {})
    return {**document, **here, "date": _now(), "runs": runs}


def _check_same(path, document, here):
    for part, facts in here.items():
        there = document.get(part) or {}
        changed = [key for key in facts if there.get(key) != facts[key]]
        if changed:
            raise ValueError(
                f"{path} has benchmarks of another {part}: {', '.join(changed)} "
                "changed. --overwrite measures anew"
            )


def _is_full(entry):
    """Whether an entry has rows that are worth something."""
    return "rows" in entry and not entry.get("quick")


def command_line(words):
    """The command as it is typed where the data sets lie."""
    return f"distilpose benchmark {' '.join(words)}"


def measured(words, workplace):
    """Run a benchmark; return its entry, with rows or with the error.

    Args:
        words: that follow ``distilpose benchmark``.
        workplace: folder that its command is run in.
    """
    entry = {"date": _now(), "git": git_revision(), "load": _load()}
    start = time.monotonic()
    rows = workplace / "rows.json"
    rows.unlink(missing_ok=True)
    try:
        for name in words:
            if Path(name).suffix in (".tflite", ".onnx"):
                _export(name, workplace)
        start = time.monotonic()
        _call(["benchmark", *words, "--json", str(rows)], workplace)
        found = {"rows": json.loads(rows.read_text())}
    except (RuntimeError, OSError, ValueError) as error:
        found = {"error": str(error)}
    return {**entry, "seconds": round(time.monotonic() - start, 1), **found}


def _workplace(folder, folders):
    """A folder with the data sets under the names that commands have for them."""
    for name, path in folders.items():
        if path:
            (folder / name).symlink_to(path.resolve())
    return folder


def _export(name, workplace):
    """Make a file of the preset, as its name says, unless it is there."""
    if (workplace / name).exists():
        return
    model, precision = Path(name).stem.rsplit("_", 1)
    words = ["export", model, "--out", name, "--precision", precision]
    if precision.startswith("int8"):
        from distilpose_keras.synthetic import render_dataset

        if not (workplace / CALIBRATION).exists():
            render_dataset(workplace / CALIBRATION, train_images=20, val_images=1)
        words += ["--calibration", CALIBRATION, "--calibration-size", "16"]
    _call(words, workplace)


def _call(words, workplace):
    """Run a command of ours; raise with the last line of its errors if it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "distilpose_keras", *words],
        cwd=workplace,
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    print(done.stderr, file=sys.stderr, end="")
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise RuntimeError(lines[-1].removeprefix("error: "))


def _outcome(entry):
    if "rows" in entry:
        return f"measured in {entry['seconds']:.0f} s"
    if "error" in entry:
        return f"failed: {entry['error']}"
    return f"left out: {entry['left_out']}"


def failed(rows):
    """Whether a benchmark failed, of the rows that `run` returned."""
    return any(row["outcome"].startswith("failed") for row in rows)


def _load():
    return round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None


def _now():
    return datetime.now(UTC).isoformat(timespec="seconds")
