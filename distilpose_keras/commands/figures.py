"""Fill the documentation's figures from the file that they were measured into.

Without --check the pages are written anew; with it they are compared only. Behind a
number or around a table of a page a comment says which figure it is: see
`distilpose_keras.report.documentation`. It is of the checkout, and no subcommand of
`distilpose`: an installation has no documentation.
"""

import sys
from pathlib import Path

FILE = Path("docs/figures.json")
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
    return int(left > 0)
