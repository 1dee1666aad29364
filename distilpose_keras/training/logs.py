"""What a training writes down of each epoch: a table and TensorBoard events."""

import csv
import struct
import time
from pathlib import Path

import keras

from distilpose_keras.files import atomic_path

_CRC_POLYNOMIAL = 0x82F63B78  # CRC-32C, as the TFRecord format asks
_CRC_MASK = 0xA282EAD8


class CsvLog(keras.callbacks.Callback):
    """Writes one row per epoch, and none twice after a resumed training.

    Args:
        path: ``.csv`` file; rows of epochs before the first one are kept.
        first_epoch: epoch that the training starts from, counted from 0.
        write: whether this process is the one that writes the file.
    """

    def __init__(self, path, first_epoch=0, *, write=True):
        """Read the rows that are kept."""
        super().__init__()
        self.path = Path(path)
        self.write = write
        self.rows = read_csv_log(self.path)[:first_epoch]

    def on_epoch_end(self, epoch, logs=None):
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
    def history(self):
        """Dict of one value per epoch for each figure; None where it was not taken."""
        columns = dict.fromkeys(name for row in self.rows for name in row)
        return {
            name: [row.get(name) for row in self.rows]
            for name in columns
            if name != "epoch"
        }


def read_csv_log(path):
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

    def __init__(self, folder):
        """See the class."""
        super().__init__()
        self.folder = Path(folder)
        self.file = None

    def on_train_begin(self, logs=None):
        """Open a new event file."""
        self.folder.mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{time.time_ns() / 1e9:.6f}.distilpose"
        self.file = open(self.folder / name, "wb")  # noqa: SIM115 (closed at the end)
        version = b"brain.Event:2"
        self._write(_bytes_field(3, version))

    def on_epoch_end(self, epoch, logs=None):
        """Write one scalar per figure."""
        values = b"".join(
            _bytes_field(1, _bytes_field(1, tag.encode()) + _float_field(2, value))
            for tag, value in (logs or {}).items()
        )
        self._write(_varint(2 << 3) + _varint(epoch) + _bytes_field(5, values))
        self.file.flush()

    def on_train_end(self, logs=None):
        """Close the file."""
        self.file.close()

    def _write(self, event):
        """Write one Event message as a TFRecord."""
        event = struct.pack("<Bd", (1 << 3) | 1, time.time()) + event
        length = struct.pack("<Q", len(event))
        self.file.write(length + _masked_crc(length) + event + _masked_crc(event))


def _varint(value):
    """Encode an integer as protocol buffers do."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])


def _bytes_field(number, data):
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _float_field(number, value):
    return _varint(number << 3 | 5) + struct.pack("<f", float(value))


def _masked_crc(data):
    """Return the CRC-32C of the TFRecord format."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (_CRC_POLYNOMIAL if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    rotated = (crc >> 15 | crc << 17) & 0xFFFFFFFF
    return struct.pack("<I", (rotated + _CRC_MASK) & 0xFFFFFFFF)
