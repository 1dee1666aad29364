"""Fill the documentation's figures from the file that they were measured into.

Without --check the pages are written anew, and the chart of the models is drawn beside
the file; with it pages are compared only. Behind a number or around a table of a page a
comment says which figure it is: see
`distilpose_keras.report.documentation`. It is of the checkout, and no subcommand of
`distilpose`: an installation has no documentation.
"""

import sys
from pathlib import Path

FILE = Path("docs/figures.json")
CHART = "latency.png"  # beside the file
EXAMPLES = """examples:
  %(prog)s
  %(prog)s --check
  %(prog)s README.md --file measured.json

The file is what `distilpose benchmark all --json docs/figures.json` writes. What takes
hours, or was measured elsewhere, stands in its "measured_by_hand", with the command,
the date and the machine.
"""


def add_arguments(parser):
    """Add the arguments of the command."""
    parser.epilog = EXAMPLES
    add = parser.add_argument
    add(
        "pages",
        nargs="*",
        metavar="PAGE",
        help="default: README.md and docs/ of this folder",
    )
    add("--file", type=Path, default=FILE, metavar="FILE", help=str(FILE))
    add(
        "--check",
        action="store_true",
        help="write nothing; exit with 1 if a page says something else",
    )


def run(arguments):
    """Fill or compare, and say what differs.

    Returns:
        1 if a place differs that was not filled, or names no figure; else 0.
    """
    from distilpose_keras.files import atomic_path
    from distilpose_keras.report.documentation import fill, read_figures
    from distilpose_keras.report.figure_tables import TABLES

    figures = read_figures(arguments.file)
    pages = [Path(page) for page in arguments.pages]
    pages = pages or [Path("README.md"), *sorted(Path("docs").rglob("*.md"))]
    left = 0
    for page in pages:
        text = page.read_text()
        filled, differences = fill(text, figures, TABLES)
        if filled != text and not arguments.check:
            with atomic_path(page) as temporary:
                temporary.write_text(filled)
            print(f"{page}: filled")
            differences = fill(filled, figures, TABLES)[1]
        for difference in differences:
            print(f"{page}:{difference.line}: {difference.message}", file=sys.stderr)
        left += len(differences)
    if not arguments.check and not arguments.pages:
        _draw(figures, arguments.file.parent)
    return int(left > 0)


def _draw(figures, folder):
    """Draw the charts whose figures there are."""
    if "models" in figures.entries:
        from distilpose_keras.files import atomic_path
        from distilpose_keras.report.charts import latency_chart

        with atomic_path(folder / CHART) as temporary:
            latency_chart(figures.entries["models"]["rows"]).savefig(temporary)
        print(f"{folder / CHART}: drawn")
