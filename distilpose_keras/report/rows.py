"""One row for each model and file: how its values are written, for every reader.

JSON holds the values themselves, under the keys of `COLUMNS`; the terminal and the page
show what `texts` makes of them.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

MISSING = "–"
FIGURES = (  # of a verified file
    *("file", "runtime", "precision", "bytes", "AP", "ap_drop"),
    *("max_keypoint_error_px", "mean_keypoint_error_px", "latency_ms"),
)
RESULTS = (  # of a run
    *("model", "file", "AP", "AP50", "AP75", "params", "bytes", "latency_ms"),
)


class Column(NamedTuple):
    """A value that a row may have.

    Attributes:
        heading: of the column.
        write: function from the value to its text.
        is_text: whether it reads from the left, unlike a number.
    """

    heading: str
    write: Callable
    is_text: bool = False


def _points(value):
    """An AP from 0 to 1, in points; -1 where the data has nobody to score."""
    return MISSING if value < 0 else f"{100 * value:.1f}"


COLUMNS = {
    "model": Column("model", str, is_text=True),
    "file": Column("file", lambda value: Path(value).name, is_text=True),
    "runtime": Column("runtime", str, is_text=True),
    "precision": Column("precision", str, is_text=True),
    "AP": Column("AP", _points),
    "AP50": Column("AP50", _points),
    "AP75": Column("AP75", _points),
    "AR": Column("AR", _points),
    "ap_drop": Column("AP drop", "{:.2f}".format),  # in points already
    "max_keypoint_error_px": Column("max error", "{:.2f} px".format),
    "mean_keypoint_error_px": Column("mean error", "{:.3f} px".format),
    "params": Column("parameters", "{:,}".format),
    "bytes": Column("size", lambda value: f"{value / 1e6:.2f} MB"),
    "latency_ms": Column("latency", "{:.1f} ms".format),
}


def texts(row, keys):
    """Return a row's values as they are shown, a dash where one was not taken.

    Args:
        row: dict with some of the keys of `COLUMNS`; others are left out.
        keys: the columns to show.
    """
    values = [(key, row.get(key)) for key in keys]
    return [MISSING if v is None else COLUMNS[key].write(v) for key, v in values]
