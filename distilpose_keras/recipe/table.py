"""The table at the end of a run."""

from rich.console import Console
from rich.table import Table

COLUMNS = (  # key of a row, heading, how it is written
    ("model", "model", str),
    ("file", "file", str),
    ("AP", "AP", lambda value: f"{100 * value:.1f}"),
    ("AP50", "AP50", lambda value: f"{100 * value:.1f}"),
    ("AP75", "AP75", lambda value: f"{100 * value:.1f}"),
    ("params", "parameters", lambda value: f"{value:,}"),
    ("bytes", "MB", lambda value: f"{value / 1e6:.2f}"),
    ("latency_ms", "ms", lambda value: f"{value:.1f}"),
)
MIN_WIDTH = 100


def print_rows(rows):
    """Print one row for each model and file; a dash where a figure was not taken."""
    table = Table()
    for _, heading, write in COLUMNS:
        justify = "left" if write is str else "right"
        table.add_column(heading, justify=justify, no_wrap=True)
    for row in rows:
        table.add_row(
            *(
                "-" if row.get(key) is None else write(row[key])
                for key, _, write in COLUMNS
            )
        )
    console = Console()
    # Written to a file, a narrow table would lose digits.
    console = console if console.is_terminal else Console(width=MIN_WIDTH)
    console.print(table)
