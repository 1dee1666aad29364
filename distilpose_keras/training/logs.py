"""What a training tells of each epoch: a table, TensorBoard events, lines of text."""

import csv
import sys
import time
from pathlib import Path
from typing import Any

import keras
from tensorboardX import SummaryWriter

from distilpose_keras.files import atomic_path
from distilpose_keras.types import FilePath


class CsvLog(keras.callbacks.Callback):
    """Writes one row per epoch, and none twice after a resumed training.

    Args:
        path: ``.csv`` file; rows of epochs before the first one are kept.
        first_epoch: epoch that the training starts from, counted from 0.
        write: whether this process is the one that writes the file.
    """

    def __init__(
        self, path: FilePath, first_epoch: int = 0, *, write: bool = True
    ) -> None:
        """Read the rows that are kept."""
        super().__init__()
        self.path = Path(path)
        self.write = write
        self.rows = read_csv_log(self.path)[:first_epoch]

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Add a row."""
        figures = {name: float(value) for name, value in (logs or {}).items()}
        self.rows.append({"epoch": epoch, **figures})
        if self.write:
            self._write()

    def _write(self):
        columns = list(dict.fromkeys(name for row in self.rows for name in row))
        with atomic_path(self.path) as temporary, open(temporary, "w", newline="") as f:
            table = csv.DictWriter(f, columns)
            table.writeheader()
            table.writerows(self.rows)

    @property
    def history(self) -> dict[str, list[float | None]]:
        """Dict of one value per epoch for each figure; None where it was not taken."""
        columns = dict.fromkeys(name for row in self.rows for name in row)
        return {
            name: [row.get(name) for row in self.rows]
            for name in columns
            if name != "epoch"
        }


def read_csv_log(path: FilePath) -> list[dict[str, Any]]:
    """Return the rows that `CsvLog` wrote, as dicts of numbers; [] without a file."""
    if not Path(path).is_file():
        return []
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    return [
        {
            name: int(text) if name == "epoch" else float(text)
            for name, text in row.items()
            if text
        }
        for row in rows
    ]


class TensorBoardLog(keras.callbacks.Callback):
    """Writes the figures of each epoch for TensorBoard, on any backend.

    Neither TensorFlow nor the tensorboard package is needed to write.

    Args:
        folder: TensorBoard log directory.
    """

    def __init__(self, folder: FilePath) -> None:
        """Open no file: only a training that begins has events."""
        super().__init__()
        self.folder = Path(folder)
        self.writer = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Open a new event file."""
        # Its thread writes to disk after so many seconds, whatever `flush` is told: a
        # killed process would lose what waits.
        self.writer = SummaryWriter(str(self.folder), flush_secs=1)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write one scalar per figure."""
        for tag, value in (logs or {}).items():
            self.writer.add_scalar(tag, float(value), epoch)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Close the file."""
        self.writer.close()


class EpochLine(keras.callbacks.Callback):
    """Prints one line per epoch, for files: they keep every state of a moving bar."""

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Start the clock."""
        self._start = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Print the seconds and every figure."""
        seconds = time.perf_counter() - self._start
        figures = "".join(f"  {k} {float(v):.4g}" for k, v in (logs or {}).items())
        epochs = self.params["epochs"]
        print(f"epoch {epoch + 1}/{epochs}  {seconds:.1f} s{figures}", flush=True)


def shown_progress(
    verbose: str | int,
) -> tuple[str | int, list[keras.callbacks.Callback]]:
    """Return how a training shows its progress.

    Args:
        verbose: see `fit`, or ``"auto"``: Keras' bar on a terminal, `EpochLine`
            elsewhere.

    Returns:
        ``verbose`` for Keras, and a list of callbacks.
    """
    if verbose != "auto":
        return verbose, []
    return (1, []) if sys.stdout.isatty() else (0, [EpochLine()])
