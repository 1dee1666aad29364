"""Measure speed: of exported files, the input pipeline, training or evaluation."""

import importlib
import itertools

from rich.console import Console
from rich.table import Table

from distilpose_keras import cli

KINDS = {
    "latency": "exported files: medians and ratios on one core, threads, batches",
    "data": "the input pipeline against the plain way to write it",
    "training": "training steps on this machine",
    "evaluation": "crops, inference, suppression and AP",
}
EXAMPLES = """examples:
  python tools/benchmark.py latency student_float32.tflite student_int8.tflite
  python tools/benchmark.py latency student.onnx --threads 4 --profile
  python tools/benchmark.py data --data coco
  python tools/benchmark.py training --model distilpose_s
  python tools/benchmark.py evaluation --json evaluation.json

What is compared runs in turns; times are medians. The JSON is a list of the tables'
rows.
"""


def parse_arguments(argv):
    """Read the command line; only the chosen benchmark is imported."""
    parser = cli.ArgumentParser(
        description=__doc__,
        epilog=EXAMPLES,
    )
    commands = parser.add_subparsers(dest="kind", required=True, metavar="KIND")
    for kind, summary in KINDS.items():
        command = commands.add_parser(kind, help=summary, description=summary)
        if kind in argv:
            _module(kind).add_arguments(command)
        command.add_argument("--json", metavar="FILE", help="also write the rows here")
    return parser.parse_args(argv)


def _module(kind):
    return importlib.import_module(f"distilpose_keras.benchmarks.{kind}")


def main(argv):
    """Run the command."""
    arguments = parse_arguments(argv)
    rows = _module(arguments.kind).run(arguments)
    for columns, part in itertools.groupby(rows, key=tuple):
        print_table(columns, list(part))
    if arguments.json:
        from distilpose_keras.files import write_json

        write_json(arguments.json, rows)


def print_table(columns, rows):
    """Print rows that have the same columns."""
    table = Table(*columns)
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    Console().print(table)


if __name__ == "__main__":
    cli.run(main)
