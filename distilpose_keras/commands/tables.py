"""Tables on the terminal, or in the file that stands in for it."""

from rich.console import Console
from rich.table import Table

from distilpose_keras.report.rows import COLUMNS, RESULTS, texts

MIN_WIDTH = 120


def print_table(table):
    """Print a rich table; one that goes to a file or a pipe keeps all its digits."""
    console = Console()
    console = console if console.is_terminal else Console(width=MIN_WIDTH)
    console.print(table)


def print_rows(rows, keys=RESULTS):
    """Print what is known of models and files, a line for each.

    Args:
        rows: list of dicts, see `distilpose_keras.report.rows`.
        keys: of the values to show.
    """
    table = Table()
    for key in keys:
        column = COLUMNS[key]
        justify = "left" if column.is_text else "right"
        table.add_column(column.heading, justify=justify, no_wrap=True)
    for row in rows:
        table.add_row(*texts(row, keys))
    print_table(table)
